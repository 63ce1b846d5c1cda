-- Offers that were seen, added up where all is the same but the clicks. A decision that was carried twice is grouped into one, a
-- response that was told late joins all the same. Of one visitor only so many offers count, bots none: nobody decides alone what
-- others are offered. Of a long history a share of the decisions is enough. A decision with a click on what nobody said was shown
-- does not say what was, and is left out.
WITH
    (x) -> least(greatest(floor((log2(greatest(x, 1e-9)) - %(lowest)s) * 2), 0), %(bins)s - 1) AS half_octave,
    (x) -> toInt64(if(isNaN(x), %(bins)s, half_octave(x))) AS bin_of
SELECT
    placement, source, item_id, toInt64(rank), bin, belief, tried,
    count() AS times, sum(clicked) AS clicks, sum(weight) AS weights
FROM
(
    SELECT
        item_id,
        max(d.placement) AS placement,
        max(d.source) AS source,
        max(d.rank) AS rank,
        minIf(d.p_next, d.kind = '') AS p,
        minIf(d.p_response, d.kind = '') AS reckoned,
        bin_of(p) AS bin,
        if(isNaN(reckoned), bin, bin_of(reckoned)) AS belief,
        minIf(d.propensity, d.kind = '') AS propensity,
        max(d.explored) AND propensity < 0.5 AS tried,
        least(1 / propensity, %(most_weight)s) AS weight,
        max(d.kind = 'offer_shown') AS shown,
        max(d.kind = 'offer_clicked') AS clicked
    FROM
    (
        SELECT
            decision_id, item_id, '' AS kind, toString(placement) AS placement, toString(source) AS source, rank, p_next,
            p_response, explored, propensity
        FROM decisions
        WHERE site = %(site)s
          AND decided_at >= fromUnixTimestamp64Milli(%(since_ms)s, 'UTC')
          AND decided_at < fromUnixTimestamp64Milli(%(until_ms)s, 'UTC')
          AND cityHash64(decision_id) %% %(one_of)s = 0
          AND visitor_id GLOBAL NOT IN
          (
              SELECT visitor_id
              FROM sessions
              WHERE site = %(site)s AND bot != '' AND opened_at >= fromUnixTimestamp64Milli(%(since_ms)s - 86400000, 'UTC')
          )
          AND decision_id GLOBAL NOT IN
          (
              SELECT decision_id
              FROM responses
              WHERE site = %(site)s
                AND day >= toDate(fromUnixTimestamp64Milli(%(since_ms)s, 'UTC'))
                AND cityHash64(decision_id) %% %(one_of)s = 0
              GROUP BY decision_id, item_id
              HAVING max(kind = 'offer_clicked') AND NOT max(kind = 'offer_shown')
          )
        LIMIT %(most_of_visitor)s BY visitor_id
        UNION ALL
        SELECT decision_id, item_id, toString(kind) AS kind, '' AS placement, '' AS source, 0, 0, 0, 0, 1
        FROM responses
        WHERE site = %(site)s
          AND day >= toDate(fromUnixTimestamp64Milli(%(since_ms)s, 'UTC'))
          AND cityHash64(decision_id) %% %(one_of)s = 0
    ) AS d
    GROUP BY d.decision_id, item_id
    HAVING rank > 0 AND shown
)
GROUP BY placement, source, item_id, rank, bin, belief, tried
