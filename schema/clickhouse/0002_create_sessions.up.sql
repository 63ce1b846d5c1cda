-- One row a session, always current: partial states that merge as the session grows, late events included.
-- session_opened_at never changes, so it can lead the key; started_at is the true beginning.
CREATE TABLE sessions
(
    site         LowCardinality(String),
    opened_at    DateTime64(3, 'UTC'),
    session_id   String,
    visitor_id   SimpleAggregateFunction(any, String),
    customer_id  SimpleAggregateFunction(max, String),
    started_at   SimpleAggregateFunction(min, DateTime64(3, 'UTC')),
    ended_at     SimpleAggregateFunction(max, DateTime64(3, 'UTC')),
    events       SimpleAggregateFunction(sum, UInt64),
    page_views   SimpleAggregateFunction(sum, UInt64),
    item_views   SimpleAggregateFunction(sum, UInt64),
    cart_adds    SimpleAggregateFunction(sum, UInt64),
    checkouts    SimpleAggregateFunction(sum, UInt64),
    purchases    SimpleAggregateFunction(sum, UInt64),
    revenue      SimpleAggregateFunction(sumMap, Map(String, Decimal(38, 6))),
    landing      AggregateFunction(argMin, Tuple(String, String, String, String, String), UInt64)
                 COMMENT 'page path, referrer, source, medium, campaign of the first event',
    cart_pieces  AggregateFunction(argMax, UInt32, UInt64)
                 COMMENT 'after the last event; numbers only, because summaries merge it for every session',
    cart         AggregateFunction(argMax, Tuple(UInt32, Decimal(18, 6), String), UInt64)
                 COMMENT 'pieces, value, currency after the last event',
    -- max: an event from the shop's server says nothing of these, and nothing is less than anything
    device       SimpleAggregateFunction(max, String),
    browser      SimpleAggregateFunction(max, String),
    os           SimpleAggregateFunction(max, String),
    bot          SimpleAggregateFunction(max, String),
    INDEX by_session session_id TYPE bloom_filter GRANULARITY 1
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(opened_at)
ORDER BY (site, opened_at, session_id)
SETTINGS non_replicated_deduplication_window = 10000
