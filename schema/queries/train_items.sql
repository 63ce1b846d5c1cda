-- Each item with what was said about it and its decayed counts. The publishable key stands in every page, so one visitor may say
-- anything of anything: a server's word comes first, then that of most visitors, weighed to those of late; what only one visitor
-- says does not stand against what several said. Addresses and prices are taken from senders only that may say them. Of more
-- items than a model may have those stay that most was done with: anybody could make ids up, too.
--
-- A voter is a visitor, of one network four at most, since visitors are made up easily. Voters are counted as bits that their
-- hashes set (linear counting, Whang et al. 1990): 64 bits tell up to 250 or so apart, and above that nobody needs more. With
-- steady voters a new price wins after three hours, a new name after two days. A page is told by its path, since the rest of its
-- address differs from visitor to visitor. What was said together is added up first: few things are said of an item.
WITH
    (address) -> lower(extract(address, '^[A-Za-z]+://[^/?#]+')) AS origin,
    (bits) -> -64 * log((64 - least(bitCount(bits), 63)) / 64) AS counted
SELECT *
FROM
(
    SELECT
        item_id,
        argMaxIf(said, rank, field = 'name') AS name,
        argMaxIf(said, rank, field = 'category') AS category,
        argMaxIf(said, rank, field = 'price') AS price,
        argMaxIf((said, voters), rank, field = 'url') AS item_url,
        argMaxIf((said, voters), rank, field = 'page') AS item_page,
        argMaxIf((said, voters), rank, field = 'image') AS image,
        argMaxIf(said, rank, field = 'brand') AS brand,
        toUnixTimestamp64Milli(min(first_at)) AS first_seen_ms,
        sumIf(bought, field = '') AS purchases,
        sumIf(added, field = '') AS cart_adds,
        sumIf(viewed, field = '') AS views
    FROM
    (
        SELECT
            item_id, field,
            argMax(word, until) AS said,
            max(by_server) AS from_server,
            counted(groupBitOr(newest)) AS a,
            counted(groupBitOr(days)) AS b,
            counted(groupBitOr(weeks)) AS c,
            counted(groupBitOr(ever)) AS d,
            if(field = 'price', 10000 * a + 100 * b + 10 * c + d, 160 * a + 80 * b + 10 * c + d) AS votes,
            if(from_server, inf, d) AS voters,
            -- One number, compared fast. A price paid may be one after discounts. 1.5 is between one voter and two.
            bitShiftLeft(toUInt64(field != 'price' OR max(NOT sold)), 62) + bitShiftLeft(toUInt64(from_server), 61)
                + bitShiftLeft(toUInt64(voters > 1.5), 60) + bitShiftLeft(if(from_server, 0, toUInt64(votes * 4)), 36)
                + toUInt64(intDiv(toUnixTimestamp64Milli(max(until)) - %(since_ms)s, 100)) AS rank,
            min(since) AS first_at, sum(bought) AS bought, sum(added) AS added, sum(viewed) AS viewed
        FROM
        (
            SELECT
                item_id,
                sender = 'server' AS by_server,
                type = 'purchase' AS sold,
                argMax(page, occurred_at) AS a_page,
                groupBitOrIf(voter, age_ms < 6 * 3600000) AS newest,
                groupBitOrIf(voter, age_ms < 48 * 3600000) AS days,
                groupBitOrIf(voter, age_ms < 14 * 24 * 3600000) AS weeks,
                groupBitOr(voter) AS ever,
                min(occurred_at) AS since,
                max(occurred_at) AS until,
                sumIf(weight, type = 'purchase') AS bought,
                sumIf(weight, type IN ('add_to_cart', 'sync_cart')) AS added,
                sumIf(weight, type = 'view_item') AS viewed,
                [
                    ('', ''), ('name', any(name)), ('category', any(category)), ('brand', any(brand)), ('image', any(image)),
                    ('url', any(url)), ('page', a_page), ('price', any(price))
                ] AS words
            FROM
            (
                SELECT
                    type, occurred_at, sender,
                    item_ids[place] AS item_id,
                    item_names[place] AS name,
                    item_categories[place] AS category,
                    item_brands[place] AS brand,
                    item_images[place] AS image,
                    sender = 'server' OR has(%(origins)s, '*') AS any_address,
                    if(any_address OR has(%(origins)s, origin(item_urls[place])), item_urls[place], '') AS url,
                    any_address OR has(%(origins)s, origin(page_url)) AS page_allowed,
                    if(type = 'view_item' AND length(item_ids) = 1 AND page_allowed, page_url, '') AS page,
                    item_prices[place] > 0 AND currency != '' AND (sender = 'server' OR %(trust_browser)s) AS price_allowed,
                    if(price_allowed, concat(toString(item_prices[place]), ' ', currency), '') AS price,
                    %(until_ms)s - toUnixTimestamp64Milli(occurred_at) AS age_ms,
                    exp2(-age_ms / %(half_life_ms)s) AS weight,
                    if(network = '', (visitor_id, 0), (network, sipHash64(visitor_id) %% 4)) AS who,
                    bitShiftLeft(toUInt64(1), sipHash64(who.1, who.2, %(until_ms)s) %% 64) AS voter
                FROM events
                ARRAY JOIN arrayEnumerate(item_ids) AS place
                WHERE site = %(site)s
                  AND occurred_at >= fromUnixTimestamp64Milli(%(since_ms)s, 'UTC')
                  AND occurred_at < fromUnixTimestamp64Milli(%(until_ms)s, 'UTC')
                  AND bot = ''
                  AND session_id != ''
                  AND type IN ('view_item', 'add_to_cart', 'sync_cart', 'purchase')
            )
            WHERE item_id != ''
            GROUP BY item_id, by_server, sold, sipHash64(name, category, brand, image, url, path(page), price, %(until_ms)s)
        )
        ARRAY JOIN words.1 AS field, words.2 AS word
        WHERE field = '' OR word != ''
        GROUP BY item_id, field, sipHash64(if(field = 'page', path(word), word), %(until_ms)s)
    )
    GROUP BY item_id
    ORDER BY purchases DESC, cart_adds DESC, views DESC, item_id
    LIMIT %(most_items)s
)
ORDER BY item_id
SETTINGS max_bytes_before_external_group_by = 1000000000
