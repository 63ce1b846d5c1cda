-- All events of one session, in the order in which they happened.
SELECT
    e.event_id, toString(e.type) AS type, e.occurred_at, toString(e.sender) AS sender,
    e.page_url, e.page_path, e.page_title, e.referrer,
    toString(e.currency) AS currency, e.value, e.revenue, e.transaction_id,
    e.item_ids, e.item_names, e.item_brands, e.item_categories, e.item_prices, e.item_quantities, e.item_urls,
    e.cart_pieces, e.cart_value, toString(e.cart_currency) AS cart_currency,
    toString(e.content_kind) AS content_kind, e.content_id, toString(e.response_code) AS response_code, e.decision_id,
    toString(e.placement) AS placement, e.search_term, toString(e.consent) AS consent,
    CAST(e.properties, 'Map(String, String)') AS properties
FROM events AS e
WHERE e.site = %(site)s
  AND toDate(e.occurred_at) >= toDate(fromUnixTimestamp64Milli(%(started_at)s, 'UTC'))
  AND toDate(e.occurred_at) <= toDate(fromUnixTimestamp64Milli(%(ended_at)s, 'UTC'))
  AND e.visitor_id = %(visitor_id)s
  AND e.session_id = %(session_id)s
ORDER BY e.occurred_at, e.session_event, e.event_id
LIMIT %(limit)s
