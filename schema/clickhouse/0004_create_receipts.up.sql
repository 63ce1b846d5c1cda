-- What became of the events that came in, by site and hour of receipt. Ingest adds a row a batch, site and hour, exactly once;
-- received = taken + duplicate + consent + rejected. It is told by the requests, so the events can be counted against it.
CREATE TABLE receipts
(
    site      LowCardinality(String),
    hour      DateTime('UTC') COMMENT 'the hour of receipt',
    received  Int64,
    taken     Int64 COMMENT 'new to us: rows of events, bots included',
    duplicate Int64 COMMENT 'had been taken before',
    consent   Int64 COMMENT 'dropped, because the visitor had not consented',
    rejected  Int64 COMMENT 'not valid'
)
ENGINE = SummingMergeTree
ORDER BY (site, hour)
SETTINGS non_replicated_deduplication_window = 10000
