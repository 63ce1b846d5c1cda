ALTER TABLE events DROP INDEX received_at
