-- Every insert into events that tells of offers brings the responses up to date. What bots do is no response.
CREATE MATERIALIZED VIEW responses_from_events TO responses AS
SELECT
    site,
    toDate(e.occurred_at) AS day,
    e.decision_id AS decision_id,
    item_id,
    e.type AS kind,
    min(e.occurred_at) AS first_at,
    max(e.visitor_id) AS visitor_id
FROM events AS e
ARRAY JOIN e.item_ids AS item_id
WHERE e.type IN ('offer_shown', 'offer_clicked', 'offer_dismissed') AND e.decision_id != '' AND e.bot = ''
GROUP BY site, day, decision_id, item_id, kind
