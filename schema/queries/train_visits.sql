-- How many sessions of people began in a slice of time, and how many of them have an order.
SELECT count(), countIf(bought)
FROM
(
    SELECT sum(purchases) > 0 AS bought
    FROM sessions
    WHERE site = %(site)s
      AND opened_at >= fromUnixTimestamp64Milli(%(since_ms)s, 'UTC')
      AND opened_at < fromUnixTimestamp64Milli(%(until_ms)s, 'UTC')
    GROUP BY opened_at, session_id
    HAVING max(bot) = ''
)
SETTINGS optimize_aggregation_in_order = 1
