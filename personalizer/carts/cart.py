"""What a cart is: open, abandoned, bought or empty, and how the list of carts is paged. Pure.

empty ──item added──► open ──idle──► abandoned
  ▲                    ▲  │              │ │
  └──────emptied───────┤  └──bought──┐   │ └──any change──► open (or empty)
                       └─item added──┴ bought ◄─by the same customer, in any session
"""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum

import msgspec
from msgspec import Struct

from baliza.errors import BadRequest
from schema.events import from_micros
from schema.profile import Cart, VisitorProfile

__all__ = ["AbandonedCart", "CartLineView", "CartState", "Place", "cart_state", "show_cart"]


class CartState(StrEnum):
    OPEN = "open"
    ABANDONED = "abandoned"
    BOUGHT = "bought"
    EMPTY = "empty"


class CartLineView(Struct, frozen=True):
    """One line of a cart. `price` is the unit price in major units, null when nobody said one."""

    item_id: str
    name: str
    category: str
    quantity: int
    price: Decimal | None


class AbandonedCart(Struct, frozen=True):
    """An abandoned cart as a shop's server sees it. `abandoned_at`: when it was found, null while it was not yet."""

    visitor_id: str
    customer_id: str | None
    changed_at: datetime
    idle_s: int
    abandoned_at: datetime | None
    currency: str
    value: Decimal
    pieces: int
    lines: list[CartLineView]


def cart_state(profile: VisitorProfile | None, last_purchase_ms: int | None, now_ms: int, idle_ms: int) -> CartState:
    """The state of a visitor's cart now.

    last_purchase_ms: when the same customer last bought, in whatever session; None when never or not known who it is.
    """
    if profile is None:
        return CartState.EMPTY
    cart = profile.cart
    if not cart.lines:
        return CartState.BOUGHT if _ended_by_order(profile) else CartState.EMPTY
    if last_purchase_ms is not None and last_purchase_ms >= cart.changed_at:
        return CartState.BOUGHT
    return CartState.ABANDONED if now_ms - cart.changed_at >= idle_ms else CartState.OPEN


def _ended_by_order(profile: VisitorProfile) -> bool:
    return any(order.bought_at == profile.cart.changed_at for order in profile.orders)


def show_cart(visitor_id: str, profile: VisitorProfile, abandoned_ms: int | None, now_ms: int) -> AbandonedCart:
    """The cart for the outside."""
    cart = profile.cart
    return AbandonedCart(
        visitor_id=visitor_id,
        customer_id=profile.customer_id,
        changed_at=_instant(cart.changed_at),
        idle_s=max(0, now_ms - cart.changed_at) // 1000,
        abandoned_at=None if abandoned_ms is None else _instant(abandoned_ms),
        currency=cart.currency,
        value=cart.value,
        pieces=cart.pieces,
        lines=_lines(cart),
    )


def _lines(cart: Cart) -> list[CartLineView]:
    return [
        CartLineView(
            item_id=line.item_id,
            name=line.name,
            category=line.category,
            quantity=line.quantity,
            price=None if line.price_micros < 0 else from_micros(line.price_micros),
        )
        for line in cart.lines
    ]


def _instant(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


@dataclass(frozen=True, order=True)
class Place:
    """A place in the list of carts, which is ordered by last change, then visitor; pages go downwards."""

    changed_ms: int
    visitor_id: str

    def cursor(self) -> str:
        """An opaque text for the next page's address."""
        return base64.urlsafe_b64encode(msgspec.json.encode((self.changed_ms, self.visitor_id))).decode().rstrip("=")

    @classmethod
    def of_cursor(cls, cursor: str) -> "Place":
        """The place that cursor() wrote down. BadRequest when it is none."""
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
            return cls(*msgspec.json.decode(raw, type=tuple[int, str]))
        except (binascii.Error, ValueError, msgspec.MsgspecError):
            raise BadRequest(f"cursor: expected the `next` of an earlier answer, got {cursor!r}") from None


def newest(places: Sequence[Place], most: int) -> list[Place]:
    """The first `most`, newest change first."""
    return sorted(places, reverse=True)[:most]
