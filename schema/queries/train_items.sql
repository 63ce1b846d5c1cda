-- Each item with what was last said about it and its decayed counts. Addresses and prices are taken from senders only that
-- may say them: anybody who reads the publishable key in a page could send an event that points somewhere else. Of more items
-- than a model may have those stay that most was done with: anybody could make ids up, too.
SELECT *
FROM
(
    SELECT
        item_id,
        argMaxIf(name, occurred_at, name != '') AS name,
        argMaxIf(category, occurred_at, category != '') AS category,
        argMaxIf(tuple(toInt64(toDecimal128(price, 6) * 1000000), currency), tuple(type != 'purchase', occurred_at), price > 0 AND money_trusted) AS last_price,
        argMaxIf(url, occurred_at, url != '' AND url_allowed) AS item_url,
        argMaxIf(page_url, occurred_at, type = 'view_item' AND item_count = 1 AND page_url != '' AND page_allowed) AS item_page,
        argMaxIf(image, occurred_at, image != '') AS image,
        argMaxIf(brand, occurred_at, brand != '') AS brand,
        toUnixTimestamp64Milli(min(occurred_at)) AS first_seen_ms,
        sumIf(weight, type = 'purchase') AS purchases,
        sumIf(weight, type IN ('add_to_cart', 'sync_cart')) AS cart_adds,
        sumIf(weight, type = 'view_item') AS views
    FROM
    (
        WITH (address) -> lower(extract(address, '^[A-Za-z]+://[^/?#]+')) AS origin
        SELECT
            type, occurred_at, page_url, currency,
            item_ids[place] AS item_id,
            item_names[place] AS name,
            item_brands[place] AS brand,
            item_categories[place] AS category,
            item_prices[place] AS price,
            item_urls[place] AS url,
            item_images[place] AS image,
            length(item_ids) AS item_count,
            sender = 'server' OR has(%(origins)s, '*') AS any_address,
            any_address OR has(%(origins)s, origin(url)) AS url_allowed,
            any_address OR has(%(origins)s, origin(page_url)) AS page_allowed,
            sender = 'server' OR %(trust_browser)s AS money_trusted,
            exp2(-(%(until_ms)s - toUnixTimestamp64Milli(occurred_at)) / %(half_life_ms)s) AS weight
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
    GROUP BY item_id
    ORDER BY purchases DESC, cart_adds DESC, views DESC, item_id
    LIMIT %(most_items)s
)
ORDER BY item_id
