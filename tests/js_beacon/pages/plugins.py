"""How shop plugins, themes and tag managers speak where they do not speak as the guide does."""

from dataclasses import dataclass, field
from typing import Any

from tests.js_beacon.pages.ga4 import GTAG

LAYER = "window.dataLayer = window.dataLayer || [];"


@dataclass(frozen=True)
class Said:
    """What a page says, and the events that it means; none: the collector must hear nothing."""

    name: str
    script: str
    wires: list[dict[str, Any]] = field(default_factory=list)


# Commands to Google's tag and entries of the tag manager that are no observation of ours.
SILENT = (
    Said("the tag's start", GTAG + "gtag('js', new Date()); gtag('config', 'G-TEST', {send_page_view: false});"),
    Said("its own page view", GTAG + "gtag('event', 'page_view', {page_title: 'Lamp', send_to: 'G-TEST'});"),
    Said(
        "personal data for advertising",
        GTAG + "gtag('set', 'user_data', {email: 'anna@shop.example', phone_number: '+34910000000',"
        " address: {first_name: 'Anna', postal_code: '28013'}});",
    ),
    Said("a setting", GTAG + "gtag('set', {currency: 'EUR', country: 'ES'}); gtag('set', 'campaign', {name: 'winter'});"),
    Said("a question", GTAG + "gtag('get', 'G-TEST', 'client_id', id => { window.answered = id; });"),
    Said(
        "consent mode",
        GTAG + "gtag('consent', 'default', {ad_storage: 'denied', analytics_storage: 'denied', wait_for_update: 500});"
        "gtag('consent', 'update', {analytics_storage: 'granted'});",
    ),
    Said("an advertising conversion", GTAG + "gtag('event', 'conversion', {send_to: 'AW-1/x', value: 9, currency: 'EUR'});"),
    Said("a function", LAYER + "dataLayer.push(function () { this.set('seen', true); });"),
    Said("a method call", LAYER + "dataLayer.push(['cart.push', {item_id: 'LAMP-1'}]);"),
    Said("no objects", LAYER + "dataLayer.push(null, undefined, 7, 'purchase', true, [], {});"),
    Said(
        "the tag manager's own",
        LAYER + "dataLayer.push({'gtm.start': Date.now(), event: 'gtm.js'}, {event: 'gtm.dom'}, {event: 'gtm.click',"
        " 'gtm.element': document.documentElement}, {event: 'gtm.historyChange-v2'});",
    ),
    Said(
        "page facts",
        LAYER
        + "dataLayer.push({pageType: 'product', customerEmail: 'anna@shop.example', cartContent: {totals: {total: 9}}});",
    ),
    Said(
        "names of other makers",
        LAYER + "dataLayer.push({event: 'dl_add_to_cart', ecommerce: {items: [{item_id: 'LAMP-1'}]}},"
        " {event: 'gtm4wp.addProductToCartEEC'}, {event: 'Product Added'}, {event: 'AddToCart'}, {event: 'add_to_wishlist',"
        " ecommerce: {items: [{item_id: 'LAMP-1'}]}}, {event: 'select_content'}, {event: 'view_search_results'});",
    ),
    Said(
        "the older enhanced e-commerce",
        LAYER
        + "dataLayer.push({ecommerce: {currencyCode: 'EUR', impressions: [{id: 'LAMP-1', name: 'Lamp', position: 1}]}},"
        " {event: 'addToCart', ecommerce: {currencyCode: 'EUR', add: {products: [{id: 'LAMP-1', price: '39.90'}]}}},"
        " {event: 'productClick', ecommerce: {click: {actionField: {list: 'New'}, products: [{id: 'LAMP-1'}]}}},"
        " {event: 'checkout', ecommerce: {checkout: {actionField: {step: 1}, products: [{id: 'LAMP-1'}]}}},"
        " {event: 'promotionClick', ecommerce: {promoClick: {promotions: [{id: 'P-1'}]}}});",
    ),
)

LAMP = {"item_id": "7312", "item_name": "Reading lamp", "price": 39.9, "quantity": 1}

PLUGINS = (
    Said(
        "WordPress tag manager plugin: numbers as ids, its own parameters beside Google's",
        LAYER + "dataLayer.push({pagePostType: 'product', customerTotalOrders: 0});"
        "dataLayer.push({event: 'add_to_cart', ecommerce: {currency: 'EUR', value: 39.9, items: [{internal_id: 7312,"
        " item_id: 7312, item_name: 'Reading lamp', sku: 'LAMP-1', price: 39.9, stocklevel: null, stockstatus: 'instock',"
        " google_business_vertical: 'retail', item_category: 'Light', id: 7312, quantity: 1}]}});",
        [{"type": "add_to_cart", "currency": "EUR", "value": 39.9, "items": [LAMP | {"item_category": "Light"}]}],
    ),
    Said(
        "the same: an order with the customer's address",
        LAYER + "dataLayer.push({event: 'purchase', new_customer: false, orderData: {attributes: {order_number: 1001},"
        " customer: {billing: {email: 'anna@shop.example', first_name: 'Anna'}}}, ecommerce: {currency: 'EUR',"
        " transaction_id: 1001, affiliation: '', value: 44.85, tax: 7.78, shipping: 4.95, coupon: '',"
        " items: [{item_id: 7312, item_name: 'Reading lamp', price: 39.9, quantity: 1}]}});",
        [
            {
                "type": "purchase",
                "transaction_id": "1001",
                "currency": "EUR",
                "value": 44.85,
                "tax": 7.78,
                "shipping": 4.95,
                "items": [LAMP],
                "properties": {"new_customer": False},
            }
        ],
    ),
    Said(
        "WooCommerce's own plugin: no currency, texts for numbers, categories in a row",
        GTAG + "gtag('event', 'add_to_cart', {items: [{item_id: '7312', item_name: 'Reading lamp', quantity: '2',"
        " item_category: 'Light', item_category2: 'Lamps', item_variant: 'colour: brass', price: '39.90'}]});",
        [
            {
                "type": "add_to_cart",
                "items": [
                    LAMP
                    | {"item_category": "Light", "item_category2": "Lamps", "item_variant": "colour: brass", "quantity": 2}
                ],
            }
        ],
    ),
    Said(
        "Shopify theme: long numbers, amounts as texts, variant without title",
        LAYER + "dataLayer.push({ecommerce: null}); dataLayer.push({event: 'view_item', user: {id: null}, ecommerce: {"
        " currency: 'EUR', value: '39.90', items: [{item_id: 48012345678901, item_name: 'Reading lamp', item_brand: 'Lumen',"
        " item_variant: null, price: '39.90', quantity: 1, tags: ['new', 'brass']}]}});",
        [
            {
                "type": "view_item",
                "currency": "EUR",
                "value": 39.9,
                "items": [LAMP | {"item_id": "48012345678901", "item_brand": "Lumen"}],
            }
        ],
    ),
    Said(
        "event parameters beside the event instead of below ecommerce",
        LAYER + "dataLayer.push({event: 'view_cart', currency: 'EUR', value: 39.9, items: [{item_id: '7312',"
        " item_name: 'Reading lamp', price: 39.9, quantity: 1}]});",
        [{"type": "view_cart", "currency": "EUR", "value": 39.9, "items": [LAMP]}],
    ),
    Said(
        "ecommerce in a push of its own, the event in the next",
        LAYER + "dataLayer.push({ecommerce: {currency: 'EUR', value: 39.9, items: [{item_id: '7312',"
        " item_name: 'Reading lamp', price: 39.9, quantity: 1}]}}); dataLayer.push({event: 'view_item'});",
        [{"type": "view_item", "currency": "EUR", "value": 39.9, "items": [LAMP]}],
    ),
    Said(
        "promotion fields with the items only",
        LAYER + "dataLayer.push({event: 'select_promotion', ecommerce: {items: [{item_id: '7312',"
        " item_name: 'Reading lamp', promotion_id: 'WINTER', promotion_name: 'Winter light', creative_slot: 'home_top',"
        " price: 39.9, quantity: 1}]}});",
        [{"type": "select_promotion", "items": [LAMP]}],
    ),
    Said(
        "promotions in the place of items, none of them a product",
        LAYER + "dataLayer.push({event: 'view_promotion', ecommerce: {items: [{promotion_id: 'WINTER',"
        " promotion_name: 'Winter light', creative_name: 'lamp_on_desk', creative_slot: 'home_top'}]}});",
        [{"type": "view_promotion"}],
    ),
    Said(
        "a whole refund has no items",
        GTAG + "gtag('event', 'refund', {currency: 'EUR', transaction_id: 'T-1001', value: 44.85});",
        [{"type": "refund", "currency": "EUR", "transaction_id": "T-1001", "value": 44.85}],
    ),
    Said(
        "a stub with rest parameters",
        LAYER + "const gtag = (...said) => dataLayer.push(said); gtag('event', 'search', {search_term: 'lamp'});",
        [{"type": "search", "search_term": "lamp"}],
    ),
    Said(
        "several pushes in one call",
        LAYER + "dataLayer.push({ecommerce: null}, {event: 'view_cart', ecommerce: {currency: 'EUR', value: 1}});",
        [{"type": "view_cart", "currency": "EUR", "value": 1}],
    ),
)

# What a tag manager does to the layer: it sees all pushes first and keeps the list short.
TAKE_OVER = (
    LAYER
    + """(layer => {
  const before = layer.push;
  window.managed = [];
  layer.push = function () {
    managed.push.apply(managed, arguments);
    const answer = before.apply(layer, arguments);
    while (layer.length > 300) layer.shift();
    return answer;
  };
})(dataLayer);"""
)
CALLBACKS = (
    "dataLayer.push({event: 'select_item', ecommerce: {items: [{item_id: 'LAMP-1'}]}, eventTimeout: 2000,"
    " eventCallback() { window.called = 1; }});",
    "gtag('event', 'select_item', {items: [{item_id: 'LAMP-1'}], event_timeout: 2000,"
    " event_callback() { window.called = 1; }});",
)
# Remarketing has items of its own shape; they must not hide what else the page says.
REMARKETING = (
    "gtag('event', 'view_item', {send_to: 'AW-1', value: 39.9,"
    " items: [{id: 'LAMP-1', google_business_vertical: 'retail'}]});"
)
OLDER_ORDER = (
    "dataLayer.push({event: 'purchase', ecommerce: {currencyCode: 'EUR', purchase: {actionField: {id: 'T-1',"
    " revenue: '39.90'}, products: [{id: 'LAMP-1', price: '39.90', quantity: 1}]}}});"
)
ADDED = "{currency: 'EUR', value: 39.9, items: [{item_id: 'LAMP-1', price: 39.9, quantity: 1}]}"
TWICE = f"gtag('event', 'add_to_cart', {ADDED}); dataLayer.push({{event: 'add_to_cart', ecommerce: {ADDED}}});"
WHO = (
    "gtag('config', 'G-TEST', {user_id: 4711});",
    "gtag('set', {user_id: '4711'});",
    "gtag('event', 'login', {method: 'password', user_id: 4711});",
    "dataLayer.push({user_id: 4711, user_type: 'customer'});",
    "dataLayer.push({event: 'login', user_id: '4711'});",
)
