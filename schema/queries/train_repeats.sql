-- How often people come back for an item, and after how long: of each item how many people bought it, how many of their
-- purchases were not the first, and the median seconds since the one before. A person is a customer where one is known, else a
-- browser; what was bought within a day of a purchase is part of it.
SELECT
    item_id,
    count() AS buyers,
    sum(length(gaps)) AS repeats,
    if(repeats = 0, 0, quantileArray(0.5)(gaps)) AS gap_s
FROM
(
    SELECT
        item_id,
        arrayFilter(gap -> gap >= 86400, arrayDifference(arraySort(groupArray(bought_at)))) AS gaps
    FROM
    (
        SELECT
            item_id,
            if(customer_id = '', concat('v:', visitor_id), concat('c:', customer_id)) AS person,
            min(toUnixTimestamp(occurred_at)) AS bought_at
        FROM events
        ARRAY JOIN item_ids AS item_id
        WHERE site = %(site)s
          AND occurred_at >= fromUnixTimestamp64Milli(%(since_ms)s, 'UTC')
          AND occurred_at < fromUnixTimestamp64Milli(%(until_ms)s, 'UTC')
          AND bot = ''
          AND type = 'purchase'
          AND item_id != ''
        GROUP BY item_id, person, toDate(occurred_at)
    )
    GROUP BY item_id, person
)
GROUP BY item_id
ORDER BY item_id
