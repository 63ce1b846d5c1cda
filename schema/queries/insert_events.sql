-- Rows of events from stream entries. An entry comes as one row: what holds for all its events, and `taken`, a JSON array
-- with an array for each event that was taken. The client writes eleven plain columns instead of forty-six, and the engine
-- takes them apart. Times are milliseconds, money is micro-units. JSONExtract makes a default of what does not fit, so the
-- number of events is checked; ingest checks what is in them.
INSERT INTO events
(
    site, received_at, visitor_id, sender, network, device, browser, os, bot,
    event_id, type, occurred_at, customer_id, session_id, session_opened_at, session_event,
    page_url, page_path, page_title, referrer, source, medium, campaign, currency, value, transaction_id, revenue,
    item_ids, item_names, item_brands, item_categories, item_prices, item_quantities, item_urls, item_images,
    cart_pieces, cart_value, cart_currency, content_kind, content_id, response_code, decision_id, placement,
    search_term, consent, properties
)
WITH toDecimal64('0.000001', 6) AS micro
SELECT
    site, fromUnixTimestamp64Milli(received_ms, 'UTC'), visitor_id, sender, network, device, browser, os, bot,
    e.event_id, e.type, fromUnixTimestamp64Milli(e.at_ms, 'UTC'), e.customer_id,
    e.session_id, fromUnixTimestamp64Milli(e.opened_ms, 'UTC'), e.session_event,
    e.url, e.path, e.title, e.referrer, e.source, e.medium, e.campaign,
    e.currency, toDecimal64(e.value, 0) * micro, e.transaction_id, toDecimal64(e.revenue, 0) * micro,
    e.items.1, e.items.2, e.items.3, e.items.4, arrayMap(price -> toDecimal64(price, 0) * micro, e.items.5),
    e.items.6, e.items.7, e.items.8,
    e.cart_pieces, toDecimal64(e.cart_value, 0) * micro, e.cart_currency,
    e.content_kind, e.content_id, e.response_code, e.decision_id, e.placement,
    e.search_term, e.consent, e.properties
FROM
(
    SELECT
        site, received_ms, visitor_id, sender, network, device, browser, os, bot, events,
        JSONExtract(taken, 'Array(Tuple(
            event_id String, type String, at_ms Int64, customer_id String,
            session_id String, opened_ms Int64, session_event UInt32,
            url String, path String, title String, referrer String, source String, medium String, campaign String,
            currency String, value Int64, transaction_id String, revenue Int64,
            items Array(Tuple(String, String, String, String, Int64, UInt32, String, String)),
            cart_pieces UInt32, cart_value Int64, cart_currency String,
            content_kind String, content_id String, response_code String, decision_id String, placement String,
            search_term String, consent String, properties Map(LowCardinality(String), String)))') AS opened
    FROM input('
        site String, received_ms Int64, visitor_id String, sender String, network String,
        device String, browser String, os String, bot String, events UInt32, taken String')
    WHERE NOT throwIf(length(opened) != events, 'an entry has not as many events as it says')
)
ARRAY JOIN opened AS e
FORMAT Native
