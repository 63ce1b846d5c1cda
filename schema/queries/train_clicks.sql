-- What each session of one day did with which item and when: every view, and the first time that an item went into the cart
-- or was bought (a cart that is sent whole names its items again and again). Of a session with more than `max_clicks` those
-- stay that tell most: such sessions are listings read by a machine, and cost more than they teach.
SELECT session, item_id, kind, at_ms
FROM
(
    SELECT cityHash64(session_id) AS session, item_id, 0 AS kind, toUnixTimestamp64Milli(occurred_at) AS at_ms
    FROM events
    ARRAY JOIN item_ids AS item_id
    WHERE site = %(site)s AND toDate(occurred_at) = %(day)s
      AND occurred_at < fromUnixTimestamp64Milli(%(until_ms)s, 'UTC')
      AND bot = '' AND session_id != '' AND type = 'view_item'
    UNION ALL
    SELECT
        cityHash64(session_id) AS session,
        item_id,
        if(type = 'purchase', 2, 1) AS kind,
        min(toUnixTimestamp64Milli(occurred_at)) AS at_ms
    FROM events
    ARRAY JOIN item_ids AS item_id
    WHERE site = %(site)s AND toDate(occurred_at) = %(day)s
      AND occurred_at < fromUnixTimestamp64Milli(%(until_ms)s, 'UTC')
      AND bot = '' AND session_id != '' AND type IN ('add_to_cart', 'sync_cart', 'purchase')
    GROUP BY session_id, item_id, kind
)
ORDER BY session, kind DESC, at_ms, item_id
LIMIT %(max_clicks)s BY session
