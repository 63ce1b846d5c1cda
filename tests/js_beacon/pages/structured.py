"""Product pages whose markup alone says what they sell, as shop systems, themes and SEO plugins write it."""

import json
from dataclasses import dataclass, field
from typing import Any

OFFER = {"@type": "Offer", "price": "39.90", "priceCurrency": "EUR", "availability": "https://schema.org/InStock"}
LAMP: dict[str, Any] = {
    "@context": "https://schema.org/",
    "@type": "Product",
    "sku": "LAMP-1",
    "name": "Reading lamp",
    "offers": OFFER,
}
SEEN: dict[str, Any] = {
    "type": "view_item",
    "currency": "EUR",
    "items": [{"item_id": "LAMP-1", "item_name": "Reading lamp", "price": 39.9}],
}
BREADCRUMBS = {
    "@type": "BreadcrumbList",
    "itemListElement": [{"@type": "ListItem", "position": 1, "item": {"@id": "/c/light", "name": "Light"}}],
}
SHOP = {"@type": "Organization", "name": "Calle Mayor", "url": "https://shop.example/", "logo": {"@type": "ImageObject"}}
SITE = {"@type": "WebSite", "name": "Calle Mayor", "potentialAction": {"@type": "SearchAction", "target": "/s?q={q}"}}
BULB = {"@type": "Product", "name": "Bulb E27", "sku": "BULB-E27", "offers": {**OFFER, "price": 4.5}}


def json_ld(*documents: Any) -> str:
    return "".join(f'<script type="application/ld+json">{json.dumps(document)}</script>' for document in documents)


def view(**item: Any) -> dict[str, Any]:
    """The view of the lamp with other fields of the item; None: without."""
    fields = {**SEEN["items"][0], **item}
    return {**SEEN, "items": [{name: value for name, value in fields.items() if value is not None}]}


def without(name: str, thing: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in thing.items() if key != name}


@dataclass(frozen=True)
class Marked:
    """A page and the view that it means; empty: none."""

    name: str
    body: str
    wire: dict[str, Any] = field(default_factory=dict)


def price_specification(**price: Any) -> dict[str, Any]:
    return {"@type": "UnitPriceSpecification", "priceCurrency": "EUR", "valueAddedTaxIncluded": True, **price}


VARIANTS = [
    {"@type": "Product", "sku": "LAMP-1-BRASS", "name": "Reading lamp - brass", "offers": OFFER},
    {"@type": "Product", "sku": "LAMP-1-STEEL", "name": "Reading lamp - steel", "offers": {**OFFER, "price": "44.90"}},
]
GROUP = {
    "@context": "http://schema.org/",
    "@type": "ProductGroup",
    "productGroupID": "7312",
    "name": "Reading lamp",
    "brand": {"@type": "Brand", "name": "Lumen"},
    "category": "Light",
    "url": "/p/lamp",
    "hasVariant": VARIANTS,
}

# Magento's product page: the body is the scope, the price stands in meta elements, related products carry no markup.
MAGENTO = """<div itemscope="itemscope" itemtype="http://schema.org/Product">
  <h1><span class="base" itemprop="name">Reading lamp</span></h1>
  <div class="price-box" itemprop="offers" itemscope itemtype="http://schema.org/Offer">
    <span class="price">39,90&nbsp;€</span><meta itemprop="price" content="39.9">
    <meta itemprop="priceCurrency" content="EUR"><link itemprop="availability" href="http://schema.org/InStock"></div>
  <div class="product attribute sku"><div class="value" itemprop="sku">LAMP-1</div></div>
  <div class="product attribute overview" itemprop="description">Brass.</div>
  <ol class="related"><li><a href="/p/bulb">Bulb E27</a> <span class="price">4,50&nbsp;€</span></li></ol></div>"""
# An older WooCommerce theme: breadcrumbs and rating have scopes of their own.
OLD_THEME = """<ul itemscope itemtype="http://schema.org/BreadcrumbList"><li itemprop="itemListElement" itemscope
    itemtype="http://schema.org/ListItem"><a itemprop="item" href="/"><span itemprop="name">Home</span></a></li></ul>
  <div itemscope itemtype="http://schema.org/Product"><meta itemprop="image" content="/lamp.jpg">
  <h1 itemprop="name">Reading lamp</h1><p itemprop="aggregateRating" itemscope itemtype="http://schema.org/AggregateRating">
    <b itemprop="name">Stars</b> <i itemprop="ratingValue">5</i></p>
  <p itemprop="offers" itemscope itemtype="http://schema.org/Offer"><span itemprop="price" content="39.90">39,90</span>
    <meta itemprop="priceCurrency" content="EUR"></p><span itemprop="sku">LAMP-1</span></div>"""
RELATED = """<div itemprop="isRelatedTo" itemscope itemtype="http://schema.org/Product"><b itemprop="name">Bulb E27</b>
  <span itemprop="offers" itemscope itemtype="http://schema.org/Offer"><i itemprop="price">4.50</i></span></div></div>"""

# What is harder to read.
PUZZLES = (
    Marked("related products inside of it, in microdata", MAGENTO.removesuffix("</div>") + RELATED, SEEN),
    Marked(
        "variants beside their group",
        json_ld(
            {"@graph": [without("hasVariant", {**GROUP, "offers": OFFER}), *(v | {"isVariantOf": {}} for v in VARIANTS)]}
        ),
        view(item_id="7312", item_brand="Lumen", item_category="Light", url="/p/lamp"),
    ),
    Marked(
        "a name longer than an id may be",
        json_ld({**without("sku", LAMP), "name": "L" * 150}),
        view(item_id="L" * 100, item_name="L" * 150),
    ),
    Marked(
        "a currency that is a sign",
        json_ld({**LAMP, "offers": {**OFFER, "priceCurrency": "€"}}),
        without("currency", SEEN),
    ),
)

PRODUCTS = (
    Marked("a product alone", json_ld(LAMP), SEEN),
    Marked("http instead of https", json_ld({**LAMP, "@context": "http://schema.org"}), SEEN),
    Marked("types as addresses", json_ld({**LAMP, "@type": "https://schema.org/Product"}), SEEN),
    Marked("several types", json_ld({**LAMP, "@type": ["Product", "Vehicle"]}), SEEN),
    Marked("breadcrumbs and shop beside it", json_ld(SHOP, BREADCRUMBS, SITE, LAMP), SEEN),
    Marked("all in one list", json_ld([SHOP, BREADCRUMBS, LAMP]), SEEN),
    Marked(
        "WooCommerce: a graph, a numeric sku, the price in a specification",
        json_ld(
            {
                "@context": "https://schema.org/",
                "@graph": [
                    BREADCRUMBS,
                    {
                        **LAMP,
                        "@id": "https://shop.example/p/lamp/#product",
                        "sku": 7312,
                        "offers": [
                            {"@type": "Offer", "priceSpecification": [price_specification(price="39.90")], "seller": SHOP}
                        ],
                    },
                ],
            }
        ),
        view(item_id="7312"),
    ),
    Marked(
        "WooCommerce: on sale, the price of today comes first",
        json_ld(
            {
                **LAMP,
                "offers": [
                    {
                        "@type": "Offer",
                        "priceSpecification": [
                            price_specification(price="39.90"),
                            price_specification(price="49.90", priceType="https://schema.org/ListPrice"),
                        ],
                    }
                ],
            }
        ),
        SEEN,
    ),
    Marked(
        "WooCommerce: variations from … to",
        json_ld(
            {
                **LAMP,
                "offers": [
                    {"@type": "AggregateOffer", "lowPrice": "39.90", "highPrice": "44.90", "priceCurrency": "EUR"},
                ],
            }
        ),
        SEEN,
    ),
    Marked(
        "SEO plugin: a page, its picture, its organisation and its product in one graph",
        json_ld(
            {
                "@context": "https://schema.org",
                "@graph": [
                    {"@type": ["WebPage", "ItemPage"], "@id": "/p/lamp", "mainEntity": {"@id": "/p/lamp#product"}},
                    {"@type": "ImageObject", "@id": "/p/lamp#picture", "url": "/lamp.jpg"},
                    BREADCRUMBS,
                    SITE,
                    SHOP,
                    {
                        **LAMP,
                        "@id": "/p/lamp#product",
                        "mainEntityOfPage": {"@id": "/p/lamp"},
                        "image": {"@id": "/p/lamp#picture"},
                        "brand": {"@type": "Brand", "name": "Lumen"},
                    },
                ],
            }
        ),
        view(item_brand="Lumen"),
    ),
    Marked("the page's main entity", json_ld({"@type": "ItemPage", "name": "Lamp", "mainEntity": LAMP}), SEEN),
    Marked("offers in a list", json_ld({**LAMP, "offers": [OFFER, {**OFFER, "price": "44.90"}]}), SEEN),
    Marked("a price as a number", json_ld({**LAMP, "offers": {**OFFER, "price": 39.9}}), SEEN),
    Marked("a price with a comma is none", json_ld({**LAMP, "offers": {**OFFER, "price": "39,90"}}), view(price=None)),
    Marked("a currency in small letters", json_ld({**LAMP, "offers": {**OFFER, "priceCurrency": "eur"}}), SEEN),
    Marked(
        "Shopify: a group of variants",
        json_ld(GROUP),
        view(item_id="7312", item_brand="Lumen", item_category="Light", url="/p/lamp"),
    ),
    Marked(
        "Shopify: an older theme, without sku",
        json_ld({**without("sku", LAMP), "productID": 7312, "image": ["//cdn.example/lamp.jpg?v=1&width=1024"]}),
        view(item_id="7312", image="//cdn.example/lamp.jpg?v=1&width=1024"),
    ),
    Marked("Shopify: an empty sku", json_ld({**LAMP, "sku": "", "mpn": ""}), view(item_id="Reading lamp")),
    Marked("a brand as text", json_ld({**LAMP, "brand": "Lumen"}), view(item_brand="Lumen")),
    Marked(
        "a brand as organisation",
        json_ld({**LAMP, "brand": {"@type": "Organization", "name": "Lumen"}}),
        view(item_brand="Lumen"),
    ),
    Marked(
        "a picture as object",
        json_ld({**LAMP, "image": {"@type": "ImageObject", "url": "/lamp.jpg"}}),
        view(image="/lamp.jpg"),
    ),
    Marked(
        "related products inside of it",
        json_ld({**LAMP, "isRelatedTo": [BULB], "isSimilarTo": BULB, "isAccessoryOrSparePartFor": {"@type": "Product"}}),
        SEEN,
    ),
    Marked(
        "related products as a list beside it",
        json_ld(LAMP, {"@type": "ItemList", "itemListElement": [{"@type": "ListItem", "position": 1, "item": BULB}]}),
        SEEN,
    ),
    Marked("a review tool says it again", json_ld(LAMP, {"@type": "Product", "name": "Reading lamp", "review": []}), SEEN),
    Marked(
        "one script is broken", '<script type="application/ld+json">{"@type": "Product",}</script>' + json_ld(LAMP), SEEN
    ),
    Marked("Magento's microdata", MAGENTO, SEEN),
    Marked("microdata of an older theme", OLD_THEME, view(image="/lamp.jpg")),
)
NO_PRODUCTS = (
    Marked("shop and site only", json_ld(SHOP, SITE, BREADCRUMBS)),
    Marked(
        "a category as a list",
        json_ld({"@type": "ItemList", "itemListElement": [{"@type": "ListItem", "position": 1, "item": LAMP}]}),
    ),
    Marked(
        "a category page whose main entity is a list",
        json_ld({"@type": "CollectionPage", "mainEntity": {"@type": "ItemList", "itemListElement": [LAMP, BULB]}}),
    ),
    Marked("several products beside one another", json_ld(LAMP, BULB)),
    Marked("several products in a graph", json_ld({"@context": "https://schema.org", "@graph": [LAMP, BULB]})),
    Marked("an article that mentions a product", json_ld({"@type": "Article", "name": "Light", "mentions": LAMP})),
    Marked("a review of a product", json_ld({"@type": "Review", "itemReviewed": {"@type": "Product", "name": "Lamp"}})),
    Marked("an offer catalogue", json_ld({"@type": "OfferCatalog", "itemListElement": [{**OFFER, "itemOffered": LAMP}]})),
    Marked("a category in microdata", MAGENTO + MAGENTO.replace("Reading lamp", "Bulb E27").replace("LAMP-1", "B")),
    Marked("an order in an account", json_ld({"@type": "Order", "acceptedOffer": {**OFFER, "itemOffered": LAMP}})),
    Marked("text that is no data", '<script type="application/ld+json">null</script>' + json_ld(7, "Product", [])),
)
