-- The same sessions as reports_sessions.sql, counted by hour, day or month of the site's zone.
SELECT
    toUnixTimestamp(toDateTime(date_trunc(%(unit)s, started_at, %(zone)s), %(zone)s)) AS beginning,
    count() AS sessions,
    countIf(purchases > 0) AS with_purchase,
    countIf(abandoned) AS with_abandoned_cart,
    sumMap(revenue) AS revenue
FROM
(
    SELECT
        min(s.started_at) AS started_at,
        max(s.ended_at) AS ended_at,
        sum(s.purchases) AS purchases,
        sumMap(s.revenue) AS revenue,
        argMinMergeIf(s.landing, %(source)s != '') AS landing,
        argMaxMerge(s.cart_pieces) AS pieces_left,
        max(s.device) AS device,
        max(s.bot) AS bot,
        pieces_left > 0 AND purchases = 0 AND ended_at < fromUnixTimestamp64Milli(%(idle_before)s, 'UTC') AS abandoned
    FROM sessions AS s
    WHERE s.site = %(site)s
      AND s.opened_at >= fromUnixTimestamp64Milli(%(opened_from)s, 'UTC')
      AND s.opened_at < fromUnixTimestamp64Milli(%(opened_to)s, 'UTC')
    GROUP BY s.site, s.opened_at, s.session_id
    HAVING started_at >= fromUnixTimestamp64Milli(%(since)s, 'UTC')
       AND started_at < fromUnixTimestamp64Milli(%(until)s, 'UTC')
       AND (%(bots)s = 1 OR bot = '')
       AND (%(purchased)s = -1 OR (purchases > 0) = %(purchased)s)
       AND (%(abandoned)s = -1 OR abandoned = %(abandoned)s)
       AND (%(source)s = '' OR lowerUTF8(landing.3) = lowerUTF8(%(source)s))
       AND (%(device)s = '' OR device = %(device)s)
)
GROUP BY beginning
ORDER BY beginning
SETTINGS optimize_aggregation_in_order = 1
