-- Placements that do not say what was shown: of the visitors who clicked there, most did so on offers of which nobody said that
-- they were shown. A visitor counts once, and a few are not heard: nobody decides alone what is learned of a placement.
SELECT placement
FROM
(
    SELECT
        max(d.placement) AS placement,
        max(d.visitor_id) AS visitor,
        max(d.kind = 'offer_shown') AS shown,
        max(d.kind = 'offer_clicked') AS clicked
    FROM
    (
        SELECT decision_id, item_id, '' AS kind, toString(placement) AS placement, visitor_id
        FROM decisions
        WHERE site = %(site)s
          AND decided_at >= fromUnixTimestamp64Milli(%(since_ms)s, 'UTC')
          AND decided_at < fromUnixTimestamp64Milli(%(until_ms)s, 'UTC')
          AND decision_id GLOBAL IN
          (
              SELECT decision_id
              FROM responses
              WHERE site = %(site)s AND day >= toDate(fromUnixTimestamp64Milli(%(since_ms)s, 'UTC')) AND kind = 'offer_clicked'
          )
        UNION ALL
        SELECT decision_id, item_id, toString(kind) AS kind, '' AS placement, '' AS visitor_id
        FROM responses
        WHERE site = %(site)s AND day >= toDate(fromUnixTimestamp64Milli(%(since_ms)s, 'UTC'))
          AND kind IN ('offer_shown', 'offer_clicked')
    ) AS d
    GROUP BY d.decision_id, d.item_id
    HAVING min(d.kind) = '' AND clicked
)
GROUP BY placement
HAVING uniqIf(visitor, NOT shown) >= %(least_visitors)s AND uniqIf(visitor, NOT shown) > uniqIf(visitor, shown)
ORDER BY placement
SETTINGS max_bytes_before_external_group_by = 1000000000
