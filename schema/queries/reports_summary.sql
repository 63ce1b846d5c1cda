-- The same sessions as reports_sessions.sql, counted by hour, day or month of the site's zone.
SELECT
    toUnixTimestamp(toDateTime(date_trunc(%(unit)s, started_at, %(zone)s), %(zone)s)) AS beginning,
    count() AS sessions,
    countIf(purchases > 0) AS with_purchase,
    countIf(abandoned) AS with_abandoned_cart,
    sumMap(revenue) AS revenue,
    [countIf(purpose = 'inform'), countIf(purpose = 'browse'), countIf(purpose = 'buy'), countIf(purpose = 'unknown')] AS purposes
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
        pieces_left > 0 AND purchases = 0 AND ended_at < fromUnixTimestamp64Milli(%(idle_before)s, 'UTC') AS abandoned,
        sum(s.page_views) AS page_views,
        sum(s.item_views) AS item_views,
        sum(s.cart_adds) AS cart_adds,
        multiIf(purchases > 0, 0.98, cart_adds > 0 AND pieces_left > 0, 0.75, cart_adds > 0 OR pieces_left > 0, 0.5, 0.) AS buying,
        (1 + 2 * item_views) / (2 + 2 * item_views + greatest(toInt64(page_views) - toInt64(item_views), 0)) AS browsing,
        multiIf(
            buying >= 0.55, 'buy',
            greatest(page_views, item_views) < 2, 'unknown',
            (1 - buying) * browsing >= 0.55, 'browse',
            (1 - buying) * (1 - browsing) >= 0.55, 'inform',
            'unknown'
        ) AS purpose
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
       AND (%(purpose)s = '' OR purpose = %(purpose)s)
       AND (%(source)s = '' OR lowerUTF8(landing.3) = lowerUTF8(%(source)s))
       AND (%(device)s = '' OR device = %(device)s)
)
GROUP BY beginning
ORDER BY beginning
SETTINGS optimize_aggregation_in_order = %(in_order)s
