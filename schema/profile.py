"""The visitor profile as it lies in Redis, written by schema/redis/baliza_v1.lua, read by whoever serves a visitor.

The stored form is terse (Redis memory is paid for every visitor); the types here give it its names back. Times are
milliseconds since the epoch, UTC; money is whole micro-units of the currency; -1 stands for a price that nobody said.
"""

from decimal import Decimal

import msgspec
from msgspec import Struct, field

from schema.events import from_micros


class PastSession(Struct, array_like=True):
    """A session that is over; kept so that late events find it."""

    session_id: str
    opened_at: int
    started_at: int
    ended_at: int


class Link(Struct, array_like=True):
    """From `since` on this browser was known to be this customer's."""

    customer_id: str
    since: int


class ViewedItem(Struct, array_like=True):
    """An item that the visitor looked at, with its last price; the newest stand last."""

    item_id: str
    category: str
    name: str
    views: int
    last_viewed_at: int
    price_micros: int
    currency: str


class CartLine(Struct, array_like=True):
    item_id: str
    quantity: int
    price_micros: int
    name: str
    category: str


class CategoryCount(Struct, array_like=True):
    category: str
    views: int


class BoughtItem(Struct, array_like=True):
    item_id: str
    quantity: int


class Order(Struct, array_like=True):
    order_id: str
    bought_at: int
    value_micros: int
    currency: str
    items: list[BoughtItem]


class Revenue(Struct, array_like=True):
    currency: str
    value_micros: int


class LiveSession(Struct):
    """The session that is going on, or the last one if none is."""

    session_id: str = field(name="i")
    opened_at: int = field(name="o")
    started_at: int = field(name="a")
    ended_at: int = field(name="z")
    events: int = field(name="n")
    page_views: int = field(name="pv")
    item_views: int = field(name="iv")
    cart_adds: int = field(name="ca")
    orders: int = field(name="b")
    revenue: list[Revenue] = field(name="r")
    landing_url: str = field(name="lu")
    referrer: str = field(name="lr")
    search_term: str = field(name="q")
    categories: list[CategoryCount] = field(name="g")


class Cart(Struct):
    """What is in the cart now. It belongs to the visitor, not to a session: people come back to it."""

    currency: str = field(name="x")
    changed_at: int = field(name="m")
    based_at: int = field(name="y")
    lines: list[CartLine] = field(name="i")

    @property
    def pieces(self) -> int:
        return sum(line.quantity for line in self.lines)

    @property
    def value(self) -> Decimal:
        return from_micros(sum(line.quantity * max(0, line.price_micros) for line in self.lines))


class VisitorProfile(Struct):
    """Everything live about one visitor."""

    layout: int = field(name="v")
    first_seen_at: int = field(name="f")
    last_seen_at: int = field(name="l")
    sessions: int = field(name="n")
    dedupe_until: int = field(name="e")
    links: list[Link] = field(name="k")
    past: list[PastSession] = field(name="p")
    viewed: list[ViewedItem] = field(name="w")
    orders: list[Order] = field(name="o")
    cart: Cart = field(name="t")
    session: LiveSession | None = field(name="s", default=None)
    customer_id: str | None = field(name="c", default=None)
    dedupe_before_until: int = field(name="d", default=0)


_decoder = msgspec.msgpack.Decoder(VisitorProfile)


def decode_profile(stored: bytes) -> VisitorProfile:
    """The profile that lies under keys.visitor(…). Raises msgspec.ValidationError when it is not one."""
    return _decoder.decode(stored)
