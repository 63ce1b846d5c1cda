-- What each session of a slice of time did with each item: views, cart adds, purchases. Sessions with more than a hundred
-- items are cut to those that mattered most: they are listings read by a machine, and cost the square of their length.
SELECT
    cityHash64(session_id) AS session,
    item_id,
    countIf(type = 'view_item') AS views,
    countIf(type IN ('add_to_cart', 'sync_cart')) AS cart_adds,
    countIf(type = 'purchase') AS purchases
FROM events
ARRAY JOIN item_ids AS item_id
WHERE site = %(site)s
  AND occurred_at >= fromUnixTimestamp64Milli(%(since_ms)s, 'UTC')
  AND occurred_at < fromUnixTimestamp64Milli(%(until_ms)s, 'UTC')
  AND bot = ''
  AND session_id != ''
  AND type IN ('view_item', 'add_to_cart', 'sync_cart', 'purchase')
GROUP BY session_id, item_id
ORDER BY session_id, purchases DESC, cart_adds DESC, views DESC, item_id
LIMIT %(max_items)s BY session_id
