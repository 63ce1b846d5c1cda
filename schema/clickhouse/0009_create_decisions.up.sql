-- What was offered to whom, where, why, and with which chance: one row an offer. Carried from the live store at least once; the
-- same decision always gives the same rows, and of equal ones only one is kept, so readers group by decision and rank.
CREATE TABLE decisions
(
    site          LowCardinality(String),
    decided_at    DateTime64(3, 'UTC'),
    decision_id   String,
    rank          UInt16 COMMENT 'place in the list, from 1',
    visitor_id    String COMMENT 'personal data: pseudonymous id of a browser',
    session_id    String,
    placement     LowCardinality(String),
    model         LowCardinality(String) COMMENT 'version of the model that decided',
    fallback      LowCardinality(String) COMMENT 'what was missing; empty when nothing was',
    explored      UInt8 COMMENT '1 when dice changed the list',
    item_id       String,
    source        LowCardinality(String) COMMENT 'where the candidate came from',
    reason        LowCardinality(String) COMMENT 'the code that the shop was told',
    response_code LowCardinality(String),
    score         Float32 COMMENT 'what it was ranked by',
    p_next        Float32 COMMENT 'the model''s probability that this is the next item; nan where the source has none',
    p_response    Float32 COMMENT 'P(response | shown) as reckoned with',
    value         Float32 COMMENT 'worth of a response as reckoned with, in major units',
    propensity    Float32 COMMENT 'chance that this item stood at this rank, over the dice of the decision',
    INDEX by_visitor visitor_id TYPE bloom_filter GRANULARITY 4
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(decided_at)
ORDER BY (site, toDate(decided_at), decision_id, rank)
TTL toDateTime(decided_at) + INTERVAL 180 DAY
SETTINGS non_replicated_deduplication_window = 1000, ttl_only_drop_parts = 1
