"""The visitor profile as it lies in Redis, written by schema/redis, read by whoever serves a visitor.

The stored form is terse and made for cheap changes (see the function library): numbers, texts, and a rest of texts and
packed lists that few events touch. The types here give it its names. Times are milliseconds since the epoch, UTC; money is
whole micro-units of the currency; -1 stands for a price that nobody said.
"""

import re
import struct
from collections.abc import Iterator, Mapping
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


class SeenOffer(Struct, array_like=True):
    """An item whose offer the visitor saw so often since they last clicked it, when last, and 1 if they dismissed it."""

    item_id: str
    times: int
    last_seen_at: int
    dismissed: int


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
    seen_offers: list[SeenOffer] = []


LAYOUT: Final = 4
NUMBERS: Final = (
    "first_seen_at", "last_seen_at", "sessions", "seen_until", "seen_before_until", "expires_at", "known_since",
    "last_viewed_at", "viewed_items", "cart_changed_at", "cart_based_at", "cart_pieces", "cart_value", "opened_at",
    "started_at", "ended_at", "events", "page_views", "item_views", "cart_adds", "orders_in_session", "landed",
    "viewed_categories",
)  # fmt: skip
HEAD: Final = struct.Struct(f"<B{len(NUMBERS)}d")
# Each behind its length, in as many bytes as struct's letter says.
TEXTS: Final = {
    "customer_id": "H", "cart_currency": "B", "session_id": "B", "recent": "H", "viewed": "I", "categories": "I",
    "rest": "I",
}  # fmt: skip
REST: Final = dict.fromkeys(
    ("landing", "search_term", "revenue", "past", "links", "orders", "cart_lines", "seen_offers"), "I"
)
# Fields of a viewed item, each behind a NUL and its letter, and a \1 before them all. Rows stand in one text, and so do
# categories with their counts.
VIEWED_ROW: Final = "\1\0i{}\0c{}\0n{}\0x{}\0p{}\0t{}\0v"
_viewed_row = re.compile("\1\0i(.*?)\0c(.*?)\0n(.*?)\0x(.*?)\0p(-?\\d+)\0t(\\d+)\0v(\\d+)", re.DOTALL)
_category = re.compile("\0c(.*?)\0n(\\d+)", re.DOTALL)
_LENGTHS: Final = {letter: struct.Struct(f"<{letter}") for letter in "BHI"}
_links = msgspec.msgpack.Decoder(list[Link])
_past = msgspec.msgpack.Decoder(list[PastSession])
_orders = msgspec.msgpack.Decoder(list[Order])
_lines = msgspec.msgpack.Decoder(list[CartLine])
_seen_offers = msgspec.msgpack.Decoder(list[SeenOffer])
_revenue = msgspec.msgpack.Decoder(list[Revenue])
_EMPTY_LIST: Final = b"\x90"
# What the profile makes of an event, by its type; as in the function library. All others are 0.
KINDS: Final = {
    "page_view": 1, "view_item": 2, "add_to_cart": 3, "remove_from_cart": 4, "sync_cart": 5, "purchase": 6,
    "offer_shown": 7, "offer_clicked": 8, "offer_dismissed": 9,
}  # fmt: skip


def decode_profile(stored: bytes) -> VisitorProfile:
    """The profile that lies under keys.visitor(…). Raises msgspec.ValidationError when it is not one."""
    try:
        layout, *values = HEAD.unpack_from(stored)
        if layout != LAYOUT:
            raise msgspec.ValidationError(f"expected a profile of layout {LAYOUT}, got {layout}")
        number = dict(zip(NUMBERS, map(int, values), strict=True))
        text = _texts(stored, HEAD.size, TEXTS)
        rest = _texts(text["rest"], 0, REST) if text["rest"] else dict.fromkeys(REST, b"")
        return _profile(number, text | rest)
    except (struct.error, ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise msgspec.ValidationError(f"expected a visitor profile, got {len(stored)} bytes of something else") from error


def _texts(stored: bytes, at: int, names: Mapping[str, str]) -> dict[str, bytes]:
    found = {}
    for name, letter in names.items():
        before = _LENGTHS[letter]
        begin = at + before.size
        at = begin + before.unpack_from(stored, at)[0]
        found[name] = stored[begin:at]
    if at != len(stored):
        raise ValueError(f"expected {at} bytes, got {len(stored)}")
    return found


def _profile(number: dict[str, int], text: dict[str, bytes]) -> VisitorProfile:
    lines = _lines.decode(text["cart_lines"] or _EMPTY_LIST)
    return VisitorProfile(
        first_seen_at=number["first_seen_at"],
        last_seen_at=number["last_seen_at"],
        sessions=number["sessions"],
        links=_links.decode(text["links"] or _EMPTY_LIST),
        past=_past.decode(text["past"] or _EMPTY_LIST),
        viewed=_viewed(text["viewed"].decode()),
        orders=_orders.decode(text["orders"] or _EMPTY_LIST),
        cart=Cart(text["cart_currency"].decode(), number["cart_changed_at"], number["cart_based_at"], lines),
        session=_session(number, text) if text["session_id"] else None,
        customer_id=text["customer_id"].decode() or None,
        seen_offers=_seen_offers.decode(text["seen_offers"] or _EMPTY_LIST),
    )


def _session(number: dict[str, int], text: dict[str, bytes]) -> LiveSession:
    landing_url, _, referrer = text["landing"].decode().partition("\0")
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
        landing_url=landing_url,
        referrer=referrer,
        search_term=text["search_term"].decode(),
        categories=_categories(text["categories"].decode()),
    )


def _viewed(rows: str) -> list[ViewedItem]:
    return [
        ViewedItem(item_id, category, name, int(views), int(at), int(price), currency)
        for item_id, category, name, currency, price, at, views in _rows_of(_viewed_row, rows)
    ]


def _categories(rows: str) -> list[CategoryCount]:
    return [CategoryCount(category, int(views)) for category, views in _rows_of(_category, rows)]


def _rows_of(row: re.Pattern[str], rows: str) -> Iterator[tuple[str, ...]]:
    """The fields of each row. ValueError when there is something else between them."""
    at = 0
    while at < len(rows):
        found = row.match(rows, at)
        if found is None:
            raise ValueError(f"expected rows, got something else at {at}")
        yield found.groups()
        at = found.end()
