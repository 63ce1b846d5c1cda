-- About how many offers were given out: rows that were carried twice count twice until they are merged.
SELECT count()
FROM decisions
WHERE site = %(site)s
  AND decided_at >= fromUnixTimestamp64Milli(%(since_ms)s, 'UTC')
  AND decided_at < fromUnixTimestamp64Milli(%(until_ms)s, 'UTC')
