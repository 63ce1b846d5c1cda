-- Several ingest workers share the window: a batch that a dead one left open must still be known when it is repeated.
ALTER TABLE receipts MODIFY SETTING non_replicated_deduplication_window = 100000
