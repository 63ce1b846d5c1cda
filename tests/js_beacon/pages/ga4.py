"""Google's e-commerce events as its guide has them: every event, every parameter of the guide, in both forms."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

# As the guide's stub has it: the arguments object itself goes into the layer.
GTAG = "window.dataLayer = window.dataLayer || []; function gtag() { dataLayer.push(arguments); }"

LAMP: dict[str, Any] = {
    "item_id": "LAMP-1",
    "item_name": "Reading lamp",
    "affiliation": "Calle Mayor shop",
    "coupon": "LIGHT-10",
    "discount": 4.1,
    "index": 0,
    "item_brand": "Lumen",
    "item_category": "Light",
    "item_category2": "Lamps",
    "item_category3": "Table",
    "item_category4": "Metal",
    "item_category5": "Brass",
    "item_list_id": "new_in",
    "item_list_name": "New in",
    "item_variant": "brass",
    "location_id": "L-28013",
    "price": 39.9,
    "quantity": 2,
}
BULB: dict[str, Any] = {"item_id": "BULB-E27", "item_name": "Bulb E27", "price": 4.5, "quantity": 6, "index": 1}
SHADE: dict[str, Any] = {"item_id": "SHADE-3", "item_name": "Paper shade", "item_brand": "Lumen", "price": 12}
PRODUCTS = (LAMP, BULB, SHADE)

MONEY = {"currency": "EUR", "value": 79.8}
PROMOTION = {
    "creative_name": "lamp_on_desk",
    "creative_slot": "home_top",
    "promotion_id": "WINTER-LIGHT",
    "promotion_name": "Winter light",
}
LIST = {"item_list_id": "new_in", "item_list_name": "New in"}


@dataclass(frozen=True)
class Taught:
    """One event of the guide. `fields` have a place of their own on our wire, `properties` have not."""

    kind: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    properties: Mapping[str, Any] = field(default_factory=dict)
    with_items: bool = True

    def params(self, product: Mapping[str, Any], number: int = 1) -> dict[str, Any]:
        """What the page says when it happens with this product for the n-th time."""
        return {**self._fields(product, number), **self.properties}

    def wire(self, product: Mapping[str, Any], number: int = 1) -> dict[str, Any]:
        """What must arrive."""
        return {"type": self.kind, **self._fields(product, number), "properties": dict(self.properties)}

    def _fields(self, product: Mapping[str, Any], number: int) -> dict[str, Any]:
        order = {"transaction_id": f"T-{number}"} if "transaction_id" in self.fields else {}
        items = {"items": [dict(product)]} if self.with_items else {}
        return {**self.fields, **order, **items}


EVENTS = (
    Taught("view_item_list", {}, LIST),
    Taught("select_item", {}, LIST),
    Taught("view_item", MONEY),
    Taught("add_to_cart", MONEY),
    Taught("remove_from_cart", MONEY),
    Taught("view_cart", MONEY),
    Taught("begin_checkout", {**MONEY, "coupon": "WINTER"}),
    Taught("add_shipping_info", {**MONEY, "coupon": "WINTER"}, {"shipping_tier": "Ground"}),
    Taught("add_payment_info", {**MONEY, "coupon": "WINTER"}, {"payment_type": "Credit card"}),
    Taught(
        "purchase",
        {**MONEY, "transaction_id": "", "tax": 13.85, "shipping": 4.95, "coupon": "WINTER"},
        {"customer_type": "returning"},
    ),
    Taught("refund", {**MONEY, "transaction_id": "", "tax": 13.85, "shipping": 4.95, "coupon": "WINTER"}),
    Taught("view_promotion", {}, PROMOTION),
    Taught("select_promotion", {}, PROMOTION),
    Taught("generate_lead", MONEY, {"lead_source": "fair"}, with_items=False),
    Taught("login", {}, {"method": "password"}, with_items=False),
    Taught("sign_up", {}, {"method": "password"}, with_items=False),
    Taught("search", {"search_term": "desk lamp"}, with_items=False),
)


def gtag(kind: str, params: Mapping[str, Any]) -> str:
    """The guide's form for pages with the Google tag."""
    return f"gtag('event', {json.dumps(kind)}, {json.dumps(params)});"


def pushed(kind: str, params: Mapping[str, Any]) -> str:
    """The guide's form for pages with a tag manager: what came before is cleared first."""
    return f"dataLayer.push({{ecommerce: null}}); dataLayer.push({json.dumps({'event': kind, 'ecommerce': params})});"


FORMS: dict[str, Callable[[str, Mapping[str, Any]], str]] = {"gtag": gtag, "pushed": pushed}
