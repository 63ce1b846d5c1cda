-- What visitors did with offers: one row an offer, day and kind of response, with the first time. Written by a view only.
-- A minimum takes no harm from being told twice.
CREATE TABLE responses
(
    site        LowCardinality(String),
    day         Date COMMENT 'of the response',
    decision_id String,
    item_id     String,
    kind        LowCardinality(String) COMMENT 'offer_shown: half of it was visible for a second; offer_clicked; offer_dismissed',
    first_at    SimpleAggregateFunction(min, DateTime64(3, 'UTC')),
    visitor_id  SimpleAggregateFunction(max, String) COMMENT 'personal data: pseudonymous id of a browser'
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(day)
ORDER BY (site, day, decision_id, item_id, kind)
TTL day + INTERVAL 180 DAY
SETTINGS non_replicated_deduplication_window = 100000, ttl_only_drop_parts = 1
