"""The visitor profile as it lies in Redis, written by schema/redis, read by whoever serves a visitor.

The stored form is terse and made for cheap changes (see the function library): a head of numbers, texts, and lists that are
packed each on its own. The types here give it its names. Times are milliseconds since the epoch, UTC; money is whole
micro-units of the currency; -1 stands for a price that nobody said.
"""

import struct
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

import msgspec
from msgspec import Struct

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


class ViewedItem(Struct):
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


class CategoryCount(Struct):
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

    session_id: str
    opened_at: int
    started_at: int
    ended_at: int
    events: int
    page_views: int
    item_views: int
    cart_adds: int
    orders: int
    revenue: list[Revenue]
    landing_url: str
    referrer: str
    search_term: str
    categories: list[CategoryCount]


class Cart(Struct):
    """What is in the cart now. It belongs to the visitor, not to a session: people come back to it."""

    currency: str
    changed_at: int
    based_at: int
    lines: list[CartLine]

    @property
    def pieces(self) -> int:
        return sum(line.quantity for line in self.lines)

    @property
    def value(self) -> Decimal:
        return from_micros(sum(line.quantity * max(0, line.price_micros) for line in self.lines))


class VisitorProfile(Struct):
    """Everything live about one visitor."""

    first_seen_at: int
    last_seen_at: int
    sessions: int
    links: list[Link]
    past: list[PastSession]
    viewed: list[ViewedItem]
    orders: list[Order]
    cart: Cart
    session: LiveSession | None = None
    customer_id: str | None = None


LAYOUT: Final = 2
NUMBERS: Final = (
    "first_seen_at", "last_seen_at", "sessions", "seen_until", "seen_before_until", "expires_at", "known_since",
    "last_viewed_at", "cart_changed_at", "cart_based_at", "cart_pieces", "cart_value", "opened_at", "started_at", "ended_at",
    "events", "page_views", "item_views", "cart_adds", "orders_in_session",
)  # fmt: skip
TEXTS: Final = (
    "customer_id", "recent", "cart_currency", "session_id", "landing_url", "referrer", "search_term", "links", "past",
    "viewed", "orders", "cart_lines", "revenue", "categories",
)  # fmt: skip
HEAD: Final = struct.Struct(f"<B{len(NUMBERS)}d")
LENGTH: Final = struct.Struct("<I")
_links = msgspec.msgpack.Decoder(list[Link])
_past = msgspec.msgpack.Decoder(list[PastSession])
_orders = msgspec.msgpack.Decoder(list[Order])
_lines = msgspec.msgpack.Decoder(list[CartLine])
_revenue = msgspec.msgpack.Decoder(list[Revenue])
_counts = msgspec.msgpack.Decoder(list[str | int])
_viewed = msgspec.msgpack.Decoder(list[msgspec.Raw])
_id = msgspec.msgpack.Decoder(str)
_viewed_row = msgspec.msgpack.Decoder(tuple[str, str, int, int, int, str])
_EMPTY_LIST: Final = b"\x90"


def decode_profile(stored: bytes) -> VisitorProfile:
    """The profile that lies under keys.visitor(…). Raises msgspec.ValidationError when it is not one."""
    try:
        layout, *values = HEAD.unpack_from(stored)
        if layout != LAYOUT:
            raise msgspec.ValidationError(f"expected a profile of layout {LAYOUT}, got {layout}")
        number = dict(zip(NUMBERS, map(int, values), strict=True))
        text = dict(zip(TEXTS, _texts(stored), strict=True))
        return _profile(number, text)
    except (struct.error, ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise msgspec.ValidationError(f"expected a visitor profile, got {len(stored)} bytes of something else") from error


def _texts(stored: bytes) -> Iterator[bytes]:
    at = HEAD.size
    for _ in TEXTS:
        (length,) = LENGTH.unpack_from(stored, at)
        at += LENGTH.size
        yield stored[at : at + length]
        at += length


def _profile(number: dict[str, int], text: dict[str, bytes]) -> VisitorProfile:
    lines = _lines.decode(text["cart_lines"] or _EMPTY_LIST)
    return VisitorProfile(
        first_seen_at=number["first_seen_at"],
        last_seen_at=number["last_seen_at"],
        sessions=number["sessions"],
        links=_links.decode(text["links"] or _EMPTY_LIST),
        past=_past.decode(text["past"] or _EMPTY_LIST),
        viewed=list(_viewed_items(text["viewed"] or _EMPTY_LIST)),
        orders=_orders.decode(text["orders"] or _EMPTY_LIST),
        cart=Cart(text["cart_currency"].decode(), number["cart_changed_at"], number["cart_based_at"], lines),
        session=_session(number, text) if text["session_id"] else None,
        customer_id=text["customer_id"].decode() or None,
    )


def _session(number: dict[str, int], text: dict[str, bytes]) -> LiveSession:
    counts = _counts.decode(text["categories"] or _EMPTY_LIST)
    return LiveSession(
        session_id=text["session_id"].decode(),
        opened_at=number["opened_at"],
        started_at=number["started_at"],
        ended_at=number["ended_at"],
        events=number["events"],
        page_views=number["page_views"],
        item_views=number["item_views"],
        cart_adds=number["cart_adds"],
        orders=number["orders_in_session"],
        revenue=_revenue.decode(text["revenue"] or _EMPTY_LIST),
        landing_url=text["landing_url"].decode(),
        referrer=text["referrer"].decode(),
        search_term=text["search_term"].decode(),
        categories=[CategoryCount(str(name), int(views)) for name, views in zip(counts[::2], counts[1::2], strict=True)],
    )


def _viewed_items(packed: bytes) -> Iterator[ViewedItem]:
    found = _viewed.decode(packed)
    for item_id, row in zip(found[::2], found[1::2], strict=True):
        yield ViewedItem(_id.decode(item_id), *_viewed_row.decode(_content(bytes(row))))


def _content(packed: bytes) -> bytes:
    """What is in a packed byte string; cmsgpack writes them as texts, which they are not."""
    return packed[{0xD9: 2, 0xDA: 3, 0xDB: 5}.get(packed[0], 1) :]
