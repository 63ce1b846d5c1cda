"""A validated batch as one atomic call of the live store, and the call's answer back as a result."""

import struct
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from baliza.settings import Settings
from schema import keys
from schema.events import Event, Item, to_micros
from schema.profile import KINDS
from tracker.beacon import Decoded

__all__ = [
    "CLAIMED",
    "COUNTED",
    "HELD",
    "NO_OUTCOME",
    "Command",
    "Context",
    "Joint",
    "claim_command",
    "hour_of",
    "observe_command",
    "observed_events",
    "order_value_micros",
    "receipt_command",
    "remembered_ms",
    "session_rules",
    "settle_command",
    "settling",
]

Command = tuple[str | bytes | int, ...]
UNKNOWN_PRICE: Final = -1
# Of an order: it is this event's to count, it is counted, somebody else is about to count it.
CLAIMED, COUNTED, HELD = 1, 0, 2
NO_OUTCOME: Final = b"\x90"
HOUR_MS: Final = 3_600_000
OBSERVE: Final = "observe_v2"
NOTHING_SAID: Final = b"\0\0\0\0"  # neither a customer nor a search
VIEW_ITEM: Final = KINDS["view_item"]
OFFER_SHOWN: Final = KINDS["offer_shown"]
_BATCH: Final = struct.Struct("<dH").pack
_EVENT: Final = struct.Struct("<H11sBdH").pack
_TEXT: Final = struct.Struct("<H").pack
_LONG_TEXT: Final = struct.Struct("<I").pack
_VIEW: Final = struct.Struct("<HHI").pack
_encode = msgspec.msgpack.Encoder().encode


def remembered_ms(settings: Settings) -> int:
    """For how long at least event ids are remembered.

    A browser may repeat an event that was taken for as long as a late one is accepted.
    """
    return max(keys.DEDUPE_MIN_MS, settings.late_max_s * 1000)


def session_rules(settings: Settings) -> bytes:
    """How sessions are cut, and for how long profiles and event ids are kept, as the function library reads it."""
    idle_ms, most_ms = settings.session_idle_s * 1000, settings.session_max_s * 1000
    return struct.pack("<4d", idle_ms, most_ms, keys.VISITOR_TTL_MS, remembered_ms(settings))


def hour_of(ms: int) -> int:
    """The beginning of the hour of a time in milliseconds, in Unix seconds."""
    return ms // HOUR_MS * (HOUR_MS // 1000)


_SHORT: Final = {
    "site": "s", "visitor_id": "v", "received_ms": "r", "sender": "d", "trusted": "t", "network": "n", "user_agent": "u",
    "count_automation": "a", "offered": "f", "consent": "x", "rejected": "j", "known": "y",
}  # fmt: skip


class Context(msgspec.Struct, rename=_SHORT, omit_defaults=True):
    """What the request said about all its events, and what became of them; lies beside them in the stream, for ingest.

    Of its events so many were `offered` to observe (-1: those that were taken), dropped for lack of `consent`, `rejected`,
    or orders `known` before. One that is taken in from quarantine takes its rejection back: -1.
    """

    site: str
    visitor_id: str
    received_ms: int
    sender: str
    trusted: bool
    network: str = ""
    user_agent: str = ""
    count_automation: bool = False
    offered: int = -1
    consent: int = 0
    rejected: int = 0
    known: int = 0

    def duplicates(self, taken: int) -> int:
        """How many of the request's events had been taken before, when so many were taken."""
        again = max(0, self.offered - taken) if self.offered >= 0 else 0
        return again + self.known


def observe_command(
    decoded: Decoded, places: Sequence[int], context: Context, rules: bytes, partitions: int, now_ms: int = 0
) -> Command:
    """FCALL observe for the events at `places` of decoded.events (those neither dropped nor taken before).

    now_ms: the time, when that is not the time of receipt.
    """
    visitor_id = context.visitor_id
    partition = keys.partition_of(visitor_id, partitions)
    names = (keys.visitor(partition, context.site, visitor_id), keys.events(partition))
    observed = observed_events(decoded, places, context, now_ms or context.received_ms)
    return ("FCALL", OBSERVE, 2, *names, rules, observed, decoded.body, _encode(context))


class Joint:
    """Several of observe_command() as one, which answers a list with what each would. They must be for the same slot."""

    __slots__ = ("_batches", "_names", "_rules", "bytes")

    def __init__(self) -> None:
        self._names: list[Any] = []
        self._batches: list[Any] = []
        self._rules: Any = b""
        self.bytes = 0

    def add(self, command: Command) -> None:
        """One more. `bytes` is about how much there is in all."""
        self._rules = command[5]
        self._names += command[3:5]
        self._batches += command[6:]
        self.bytes += len(command[7])  # type: ignore[arg-type]

    def command(self) -> Command:
        """All of them."""
        return ("FCALL", OBSERVE, len(self._names), *self._names, self._rules, *self._batches)


def claim_command(event: Event, context: Context, partitions: int) -> Command:
    """FCALL claim_order for a purchase: answers one of CLAIMED, COUNTED, HELD."""
    order_id = event.transaction_id or ""
    claimant = keys.event_hash(context.site, context.visitor_id, event.event_id)
    key = keys.orders(keys.partition_of(order_id, partitions), context.site)
    return ("FCALL", "claim_order_v2", 1, key, order_id, claimant, context.received_ms, int(context.trusted))


def settle_command(event: Event, context: Context, partitions: int) -> Command:
    """Ends the claim of an order that is counted now: from here on it is nobody's."""
    return settling(context.site, event.transaction_id or "", partitions, trusted=context.trusted)


def settling(site: str, order_id: str, partitions: int, *, trusted: bool) -> Command:
    """FCALL settle_order: the order is counted. `trusted`: by the word of somebody whom the site believes about money."""
    settled = keys.ORDER_SETTLED if trusted else keys.ORDER_HEARSAY
    return ("FCALL", "settle_order_v1", 1, keys.orders(keys.partition_of(order_id, partitions), site), order_id, settled)


def receipt_command(context: Context, partition: int) -> Command:
    """Leaves the numbers of a request of which nothing is recorded, for its hour; of who sent it nothing."""
    hour_ms = context.received_ms // HOUR_MS * HOUR_MS
    nobody = msgspec.structs.replace(context, received_ms=hour_ms, visitor_id="", network="", user_agent="")
    return ("XADD", keys.events(partition), "*", "c", _encode(nobody), "o", NO_OUTCOME)


def order_value_micros(event: Event) -> int:
    """What an order is worth: its value, else the sum of its items' prices."""
    if event.value is not None:
        return to_micros(event.value)
    return sum(to_micros(item.price) * item.quantity for item in event.items if item.price is not None)


def observed_events(decoded: Decoded, places: Sequence[int], context: Context, now_ms: int) -> bytes:
    """The part of a batch that the profile is made of, as read_batch() of the function library reads it."""
    hash_begun, hash_behind = keys.hash_of_visitor(context.site, context.visitor_id), keys.hash_behind
    events, times = decoded.events, decoded.times_ms
    parts = [_BATCH(now_ms, len(places))]
    for n in places:
        event, at_ms = events[n], times[n]
        kind, landing, more, page = KINDS.get(event.type, 0), b"", b"", event.page
        if page is not None and (page.url or page.referrer):
            landing = f"{page.url}\0{page.referrer}".encode()
        if kind >= VIEW_ITEM:
            more = _of_items(event, kind, at_ms)
        hashed = hash_behind(hash_begun, event.event_id)
        said = _who_and_what(event) if event.customer_id or event.search_term else NOTHING_SAID
        parts += (_EVENT(n, hashed, kind, at_ms, len(landing)), landing, said, _LONG_TEXT(len(more)), more)
    return b"".join(parts)


def _of_items(event: Event, kind: int, at_ms: int) -> bytes:
    """What an event says of its items, as its kind needs it."""
    if kind == VIEW_ITEM:
        return _views(event, at_ms)
    return _encode([item.item_id for item in event.items]) if kind >= OFFER_SHOWN else _sale(event)


def _who_and_what(event: Event) -> bytes:
    """Customer and search, each behind its length."""
    customer, search = (event.customer_id or "").encode(), event.search_term.encode()
    return _TEXT(len(customer)) + customer + _TEXT(len(search)) + search


def _views(event: Event, at_ms: int) -> bytes:
    """The rows of the profile that viewed items become, all but how often they were viewed: VIEWED_ROW, written out.

    Each stands behind three lengths: of what it begins with, of its category, and its own.
    """
    parts: list[bytes] = []
    currency = event.currency or ""
    for item in event.items:
        price = UNKNOWN_PRICE if item.price is None else to_micros(item.price)
        begin, category = f"\1\0i{item.item_id}\0c".encode(), item.item_category.encode()
        row = f"\0n{item.item_name}\0x{currency}\0p{price}\0t{at_ms}\0v".encode()
        parts += (_VIEW(len(begin), len(category), len(begin) + len(category) + len(row)), begin, category, row)
    return b"".join(parts)


def _sale(event: Event) -> bytes:
    """Of what changes the cart: currency, value of an order and its id, and the items."""
    value = order_value_micros(event) if event.type == "purchase" else 0
    items = [_item(item) for item in event.items]
    return _encode((event.currency or "", value, event.transaction_id or "", items))


def _item(item: Item) -> tuple[str, int, int, str, str]:
    price = UNKNOWN_PRICE if item.price is None else to_micros(item.price)
    return (item.item_id, item.quantity, price, item.item_name, item.item_category)
