-- Receipts count the events of an hour of receipt; without it, each count would read that column of the whole history.
-- Parts that are there already get it with their next merge.
ALTER TABLE events ADD INDEX received_at received_at TYPE minmax GRANULARITY 4
