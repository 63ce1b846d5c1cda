"""What the shop tells its dataLayer, with GA4's names and in the two forms that real shops use.

A list is for gtag: ["event", name, parameters]. A mapping is pushed as it is: {"event": name, "ecommerce": {...}}.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from demo.basket import Line
from demo.catalogue import CURRENCY

__all__ = ["Push", "as_ecommerce", "as_gtag", "item", "money"]

Push = list[object] | dict[str, object]


def item(line: Line, url: str, image: str) -> dict[str, object]:
    """One item as GA4 wants it, with the absolute addresses of its page and its picture."""
    product = line.product
    return {
        "item_id": product.item_id,
        "item_name": product.name,
        "item_brand": product.brand,
        "item_category": product.category,
        "price": float(product.price),
        "quantity": line.quantity,
        "url": url,
        "image": image,
    }


def money(items: Sequence[Mapping[str, object]], value: Decimal) -> dict[str, object]:
    """The parameters of an event about money: currency, value and items."""
    return {"currency": CURRENCY, "value": float(value), "items": list(items)}


def as_gtag(name: str, parameters: Mapping[str, object]) -> Push:
    """A call of gtag('event', name, parameters)."""
    return ["event", name, dict(parameters)]


def as_ecommerce(name: str, parameters: Mapping[str, object]) -> Push:
    """A push of {event, ecommerce}."""
    return {"event": name, "ecommerce": dict(parameters)}
