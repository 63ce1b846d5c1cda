-- What the requests said became of their events, by site and hour of receipt. since, until: Unix time in seconds.
SELECT toString(site) AS site, hour, sum(taken), sum(duplicate), sum(consent), sum(rejected)
FROM receipts
WHERE hour >= toDateTime(%(since)s, 'UTC') AND hour < toDateTime(%(until)s, 'UTC') AND (%(site)s = '' OR site = %(site)s)
GROUP BY site, hour
