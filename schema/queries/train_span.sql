-- How much there is to learn from: first and last event with items, and the number of sessions that have one.
SELECT
    toUnixTimestamp64Milli(min(occurred_at)) AS first_ms,
    toUnixTimestamp64Milli(max(occurred_at)) AS last_ms,
    uniq(session_id) AS sessions,
    count() AS events
FROM events
WHERE site = %(site)s
  AND occurred_at >= fromUnixTimestamp64Milli(%(since_ms)s, 'UTC')
  AND occurred_at < fromUnixTimestamp64Milli(%(until_ms)s, 'UTC')
  AND bot = ''
  AND session_id != ''
  AND type IN ('view_item', 'add_to_cart', 'sync_cart', 'purchase')
