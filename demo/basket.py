"""What is in a shopper's cart: a mapping from item id to quantity, small enough for a cookie."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from demo.catalogue import BY_ID, Product

__all__ = ["MAX_QUANTITY", "SHIPPING", "Line", "added", "lines", "removed", "shipping", "total"]

MAX_QUANTITY: Final = 9
SHIPPING: Final[Mapping[str, Decimal]] = {"standard": Decimal("4.90"), "express": Decimal("9.90"), "pickup": Decimal(0)}
_FREE_FROM: Final = Decimal(50)  # standard shipping only


@dataclass(frozen=True)
class Line:
    """One product and how many of it."""

    product: Product
    quantity: int

    @property
    def amount(self) -> Decimal:
        """Price times quantity, EUR."""
        return self.product.price * self.quantity


def added(cart: Mapping[str, int], item_id: str, quantity: int) -> dict[str, int]:
    """The cart with more of a product; never more than MAX_QUANTITY of it."""
    return {**cart, item_id: min(MAX_QUANTITY, cart.get(item_id, 0) + max(1, quantity))}


def removed(cart: Mapping[str, int], item_id: str, quantity: int = MAX_QUANTITY) -> dict[str, int]:
    """The cart with less of a product; without it when nothing is left."""
    left = {**cart, item_id: cart.get(item_id, 0) - quantity}
    return {kept: pieces for kept, pieces in left.items() if pieces > 0}


def lines(cart: Mapping[str, int]) -> list[Line]:
    """The cart's lines; products that the shop no longer has are left out."""
    return [Line(BY_ID[item_id], quantity) for item_id, quantity in cart.items() if item_id in BY_ID]


def total(cart: Mapping[str, int]) -> Decimal:
    """The sum of the lines, EUR."""
    return sum((line.amount for line in lines(cart)), Decimal(0))


def shipping(tier: str, amount: Decimal) -> Decimal:
    """What it costs, EUR, to send goods of this amount; tiers are those of SHIPPING, an unknown one is standard."""
    if tier not in SHIPPING or tier == "standard":
        return Decimal(0) if amount >= _FREE_FROM else SHIPPING["standard"]
    return SHIPPING[tier]
