-- Every insert into events brings the sessions up to date in the same breath. `place` orders the events of a session:
-- by time, and within a millisecond by their number.
CREATE MATERIALIZED VIEW sessions_from_events TO sessions AS
WITH toUInt64(toUnixTimestamp64Milli(e.occurred_at)) * 1048576 + least(e.session_event, 1048575) AS place
SELECT
    site,
    session_opened_at AS opened_at,
    session_id,
    any(e.visitor_id) AS visitor_id,
    max(e.customer_id) AS customer_id,
    min(e.occurred_at) AS started_at,
    max(e.occurred_at) AS ended_at,
    count() AS events,
    countIf(e.type = 'page_view') AS page_views,
    countIf(e.type = 'view_item') AS item_views,
    countIf(e.type = 'add_to_cart') AS cart_adds,
    countIf(e.type = 'begin_checkout') AS checkouts,
    countIf(e.type = 'purchase') AS purchases,
    sumMap(if(e.revenue > 0, map(toString(e.currency), toDecimal128(e.revenue, 6)), map())) AS revenue,
    argMinState(tuple(e.page_path, e.referrer, toString(e.source), toString(e.medium), toString(e.campaign)), place) AS landing,
    argMaxState(e.cart_pieces, place) AS cart_pieces,
    argMaxState(tuple(e.cart_pieces, e.cart_value, toString(e.cart_currency)), place) AS cart,
    max(toString(e.device)) AS device,
    max(toString(e.browser)) AS browser,
    max(toString(e.os)) AS os,
    max(toString(e.bot)) AS bot
FROM events AS e
GROUP BY site, opened_at, session_id
