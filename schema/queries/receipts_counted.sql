-- The events that are there, by site and hour of receipt: of people, of bots. since, until: Unix time in seconds.
SELECT toString(site) AS site, toStartOfHour(received_at) AS hour, countIf(bot = ''), countIf(bot != '')
FROM events
WHERE received_at >= toDateTime64(%(since)s, 3, 'UTC') AND received_at < toDateTime64(%(until)s, 3, 'UTC')
  AND (%(site)s = '' OR site = %(site)s)
GROUP BY site, hour
