-- What a share of the visitors, or one visitor, did in a slice of time, each visitor's events in their order: what profiles were made of.
-- The share is told in millionths of all visitors, by a hash of their ids, so that a visitor is in it with all their visits.
-- What arrived after its session was over (session_event 0) was in no live profile.
SELECT
    visitor_id,
    toString(type),
    toUnixTimestamp64Milli(occurred_at),
    session_id,
    customer_id,
    page_url,
    referrer,
    search_term,
    cart_pieces,
    toInt64(toDecimal128(cart_value, 6) * 1000000),
    if(type = 'view_item', arrayZip(item_ids, item_categories), [])
FROM events
WHERE site = %(site)s
  AND occurred_at >= fromUnixTimestamp64Milli(%(since_ms)s, 'UTC')
  AND occurred_at < fromUnixTimestamp64Milli(%(until_ms)s, 'UTC')
  AND bot = ''
  AND session_id != ''
  AND session_event > 0
  AND (%(visitor_id)s = '' OR visitor_id = %(visitor_id)s)
  AND modulo(cityHash64(visitor_id), 1000000) < %(millionths)s
ORDER BY visitor_id, occurred_at, session_event
