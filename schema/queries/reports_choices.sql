-- What the newest sessions of a site came from and ran on: choices for the filter form, not a report.
SELECT topK(20)(s.source), topK(20)(toString(s.device))
FROM
(
    SELECT finalizeAggregation(landing).3 AS source, device
    FROM sessions
    WHERE site = %(site)s AND bot = ''
    ORDER BY opened_at DESC
    LIMIT 5000
) AS s
