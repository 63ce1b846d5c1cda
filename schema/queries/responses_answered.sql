-- What was offered and how visitors answered, by placement, source and response code. Seen: half of it for a second, or clicked.
-- A long time of a large shop is grouped on disk.
SELECT
    placement, source, response_code,
    count() AS decided, sum(seen) AS shown, sum(clicked) AS clicked, sum(dismissed) AS dismissed
FROM
(
    SELECT
        max(d.placement) AS placement,
        max(d.source) AS source,
        max(d.response_code) AS response_code,
        max(d.kind = 'offer_clicked') AS clicked,
        max(d.kind = 'offer_dismissed') AS dismissed,
        clicked OR max(d.kind = 'offer_shown') AS seen
    FROM
    (
        SELECT
            decision_id, item_id, '' AS kind, toString(placement) AS placement, toString(source) AS source,
            toString(response_code) AS response_code
        FROM decisions
        WHERE site = %(site)s
          AND decided_at >= fromUnixTimestamp64Milli(%(since_ms)s, 'UTC')
          AND decided_at < fromUnixTimestamp64Milli(%(until_ms)s, 'UTC')
          AND visitor_id GLOBAL NOT IN
          (
              SELECT visitor_id
              FROM sessions
              WHERE site = %(site)s AND bot != '' AND opened_at >= fromUnixTimestamp64Milli(%(since_ms)s - 86400000, 'UTC')
          )
        UNION ALL
        SELECT decision_id, item_id, toString(kind) AS kind, '', '', ''
        FROM responses
        WHERE site = %(site)s AND day >= toDate(fromUnixTimestamp64Milli(%(since_ms)s, 'UTC'))
    ) AS d
    GROUP BY d.decision_id, d.item_id
    HAVING min(d.kind) = ''
)
GROUP BY placement, source, response_code
SETTINGS max_bytes_before_external_group_by = 1000000000
