SELECT
    (SELECT count() FROM events) AS events,
    countIf(received_at >= %(minute_ago)s) AS events_last_minute,
    uniqIf((site, session_id), occurred_at >= %(idle_ago)s) AS sessions_live,
    countIf(type = 'purchase' AND occurred_at >= %(day)s) AS orders_today
FROM events
WHERE occurred_at >= least(%(idle_ago)s, %(day)s)
