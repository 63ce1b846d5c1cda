"""The shop's product feed, as shops make it for search engines: RSS 2.0 with Google's attributes. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from xml.sax.saxutils import escape

from demo import paths
from demo.catalogue import CURRENCY, PRODUCTS, Product
from demo.editorial import AUTUMN, STORIES, Promotion, Story

__all__ = ["google_feed"]


def google_feed(shop_url: str) -> str:
    """All that the shop has to offer: products with what they cost the shop, the season's promotion, stories.

    shop_url: where the shop is mounted, without a slash at its end; addresses of a feed are whole ones.
    """
    items = [*(_product(product, shop_url) for product in PRODUCTS), _promotion(AUTUMN, shop_url)]
    items += [_story(story, shop_url) for story in STORIES.values()]
    return "\n".join(_lines(shop_url, items))


def _lines(shop_url: str, items: Sequence[Mapping[str, str]]) -> Iterator[str]:
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    yield '<rss version="2.0" xmlns:g="http://base.google.com/ns/1.0">'
    yield f"<channel><title>Casa Faro</title><link>{escape(shop_url)}/</link><description>All that we have</description>"
    for item in items:
        yield "<item>"
        yield from (f"  <g:{name}>{escape(value)}</g:{name}>" for name, value in item.items())
        yield "</item>"
    yield "</channel>\n</rss>\n"


def _product(product: Product, shop_url: str) -> dict[str, str]:
    return {
        "id": product.item_id,
        "title": product.name,
        "description": product.description,
        "link": shop_url + paths.product(product.item_id),
        "image_link": shop_url + paths.picture(product.item_id),
        "price": f"{product.price} {CURRENCY}",
        "availability": "in_stock",
        "product_type": product.category,
        "brand": product.brand,
        "cost_of_goods_sold": f"{product.cost} {CURRENCY}",
        "consumable": "yes" if product.consumable else "no",
    }


def _promotion(promotion: Promotion, shop_url: str) -> dict[str, str]:
    return {
        "id": promotion.promotion_id,
        "kind": "promotion",
        "title": promotion.name,
        "link": shop_url + paths.category(promotion.category),
        "product_type": promotion.category,
    }


def _story(story: Story, shop_url: str) -> dict[str, str]:
    return {
        "id": story.slug,
        "kind": "editorial",
        "title": story.title,
        "link": shop_url + paths.story(story.slug),
        "image_link": shop_url + paths.picture(story.face),
    }
