-- Each day of the period with a fingerprint of what it holds: what was read of a day is read again when this has changed.
SELECT
    toDate(occurred_at) AS day,
    count() AS events,
    sum(toUnixTimestamp64Milli(received_at)) AS received
FROM events
WHERE site = %(site)s
  AND occurred_at >= fromUnixTimestamp64Milli(%(since_ms)s, 'UTC')
  AND occurred_at < fromUnixTimestamp64Milli(%(until_ms)s, 'UTC')
  AND bot = ''
  AND session_id != ''
  AND type IN ('view_item', 'add_to_cart', 'sync_cart', 'purchase')
GROUP BY day
ORDER BY day
