-- What followed: carts that an offered item came into and orders that it is in, by the same visitor within the attribution window
-- after the offer was seen. Each is credited to one offer: only to one of the response code or the decision that the order (or
-- the cart event) itself names, if it names one; then to the one clicked last before it, else to the one seen last.
SELECT
    offer.3 AS placement, offer.4 AS source, offer.5 AS response_code,
    uniqExactIf((offer.1, offer.2), bought = 0) AS added,
    uniqExactIf((offer.1, offer.2), bought = 1) AS bought_offers,
    uniqExactIf((offer.1, offer.2), bought = 1 AND offer.6 = 1) AS bought_after_click,
    sumMapIf(revenue, bought = 1) AS earned
FROM
(
    SELECT
        c.event_id, c.item_id, any(c.bought) AS bought, any(c.revenue) AS revenue,
        argMax(
            (o.decision_id, o.item_id, o.placement, o.source, o.response_code, o.clicked AND o.clicked_at <= c.at),
            (o.clicked AND o.clicked_at <= c.at, if(o.clicked AND o.clicked_at <= c.at, o.clicked_at, o.seen_at), o.decision_id)
        ) AS offer
    FROM
    (
        SELECT
            d.decision_id AS decision_id, d.item_id AS item_id,
            max(d.visitor_id) AS visitor_id, max(d.placement) AS placement, max(d.source) AS source,
            max(d.response_code) AS response_code,
            max(d.kind = 'offer_clicked') AS clicked,
            minIf(d.first_at, d.kind = 'offer_clicked') AS clicked_at,
            minIf(d.first_at, d.kind IN ('offer_shown', 'offer_clicked')) AS seen_at
        FROM
        (
            SELECT
                decision_id, item_id, '' AS kind, visitor_id, toString(placement) AS placement, toString(source) AS source,
                toString(response_code) AS response_code, decided_at AS first_at
            FROM decisions
            WHERE site = %(site)s
              AND decided_at >= fromUnixTimestamp64Milli(%(since_ms)s, 'UTC')
              AND decided_at < fromUnixTimestamp64Milli(%(until_ms)s, 'UTC')
            UNION ALL
            SELECT decision_id, item_id, toString(kind) AS kind, '', '', '', '', first_at
            FROM responses
            WHERE site = %(site)s AND day >= toDate(fromUnixTimestamp64Milli(%(since_ms)s, 'UTC'))
        ) AS d
        GROUP BY d.decision_id, d.item_id
        HAVING min(d.kind) = '' AND countIf(d.kind IN ('offer_shown', 'offer_clicked')) > 0
    ) AS o
    INNER JOIN
    (
        SELECT
            e.visitor_id AS visitor_id, e.event_id AS event_id, item_id, any(e.occurred_at) AS at,
            any(e.type = 'purchase') AS bought, any(e.response_code) AS code, any(e.decision_id) AS decision_id,
            sumMap(if(e.revenue > 0, map(toString(e.currency), multiIf(
                price > 0, toDecimal128(price, 6) * quantity,
                length(e.item_ids) = 1, toDecimal128(e.revenue, 6),
                toDecimal128(0, 6))), map())) AS revenue
        FROM events AS e
        ARRAY JOIN e.item_ids AS item_id, e.item_prices AS price, e.item_quantities AS quantity
        WHERE e.site = %(site)s
          AND e.occurred_at >= fromUnixTimestamp64Milli(%(since_ms)s, 'UTC')
          AND e.occurred_at < fromUnixTimestamp64Milli(%(until_ms)s + %(window_ms)s, 'UTC')
          AND e.type IN ('add_to_cart', 'sync_cart', 'purchase')
          AND e.bot = ''
        GROUP BY e.visitor_id, e.event_id, item_id
    ) AS c ON o.visitor_id = c.visitor_id AND o.item_id = c.item_id
    WHERE o.seen_at <= c.at
      AND if(o.clicked AND o.clicked_at <= c.at, o.clicked_at, o.seen_at) >= c.at - toIntervalMillisecond(%(window_ms)s)
      AND (c.code = '' OR c.code = o.response_code)
      AND (c.decision_id = '' OR c.decision_id = o.decision_id)
    GROUP BY c.visitor_id, c.event_id, c.item_id
)
GROUP BY placement, source, response_code
SETTINGS max_bytes_before_external_group_by = 1000000000
