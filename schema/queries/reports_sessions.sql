-- Sessions opened in one slice of time, newest first. The slice is a range of the table's key; everything else is
-- decided after the partial states have merged. The purpose is that of baliza/readiness/rules.py by what was done.
SELECT
    s.session_id AS session_id,
    s.opened_at AS opened_at,
    any(s.visitor_id) AS visitor_id,
    max(s.customer_id) AS customer_id,
    min(s.started_at) AS started_at,
    max(s.ended_at) AS ended_at,
    sum(s.events) AS events,
    sum(s.page_views) AS page_views,
    sum(s.item_views) AS item_views,
    sum(s.cart_adds) AS cart_adds,
    sum(s.checkouts) AS checkouts,
    sum(s.purchases) AS purchases,
    sumMap(s.revenue) AS revenue,
    argMinMerge(s.landing) AS landing,
    argMaxMerge(s.cart) AS cart,
    max(s.device) AS device,
    max(s.browser) AS browser,
    max(s.os) AS os,
    max(s.bot) AS bot,
    cart.1 > 0 AND purchases = 0 AND ended_at < fromUnixTimestamp64Milli(%(idle_before)s, 'UTC') AS abandoned,
    multiIf(purchases > 0, 0.98, cart_adds > 0 AND cart.1 > 0, 0.75, cart_adds > 0 OR cart.1 > 0, 0.5, 0.) AS buying,
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
  AND s.opened_at <= fromUnixTimestamp64Milli(%(opened_to)s, 'UTC')
  AND (s.opened_at, s.session_id) < (fromUnixTimestamp64Milli(%(opened_to)s, 'UTC'), %(before_id)s)
  AND (%(session_id)s = '' OR s.session_id = %(session_id)s)
GROUP BY s.site, s.opened_at, s.session_id
HAVING started_at >= fromUnixTimestamp64Milli(%(since)s, 'UTC')
   AND started_at < fromUnixTimestamp64Milli(%(until)s, 'UTC')
   AND (%(bots)s = 1 OR bot = '')
   AND (%(purchased)s = -1 OR (purchases > 0) = %(purchased)s)
   AND (%(abandoned)s = -1 OR abandoned = %(abandoned)s)
   AND (%(purpose)s = '' OR purpose = %(purpose)s)
   AND (%(source)s = '' OR lowerUTF8(landing.3) = lowerUTF8(%(source)s))
   AND (%(device)s = '' OR device = %(device)s)
ORDER BY opened_at DESC, session_id DESC
LIMIT %(limit)s
SETTINGS optimize_aggregation_in_order = %(in_order)s
