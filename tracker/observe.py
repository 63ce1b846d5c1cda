"""A validated batch as one atomic call of the live store, and the call's answer back as a result."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from baliza.settings import Settings
from schema import keys
from schema.events import Event, Item, to_micros
from tracker.beacon import Decoded

__all__ = [
    "CLAIMED",
    "COUNTED",
    "HELD",
    "NO_OUTCOME",
    "Command",
    "Context",
    "claim_command",
    "hour_of",
    "observe_command",
    "order_value_micros",
    "receipt_command",
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
_encode = msgspec.msgpack.Encoder().encode


def session_rules(settings: Settings) -> dict[str, int]:
    """How sessions are cut, and for how long at least event ids are remembered, as the function library reads it."""
    return {
        "idle": settings.session_idle_s * 1000,
        "max": settings.session_max_s * 1000,
        "ttl": keys.VISITOR_TTL_MS,
        # A browser may repeat an event that was taken for as long as a late one is accepted.
        "dedupe": max(keys.DEDUPE_MIN_MS, settings.late_max_s * 1000),
    }


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
    decoded: Decoded, places: Sequence[int], context: Context, rules: dict[str, int], partitions: int, now_ms: int = 0
) -> Command:
    """FCALL observe for the events at `places` of decoded.events (those neither dropped nor taken before).

    now_ms: the time, when that is not the time of receipt.
    """
    site, visitor_id = context.site, context.visitor_id
    events, times = decoded.events, decoded.times_ms
    batch = {
        "now": now_ms or context.received_ms,
        "rules": rules,
        "visitor": visitor_id,
        "events": [_projection(events[n], times[n], n, site, visitor_id) for n in places],
    }
    names = keys.of_observation(keys.partition_of(visitor_id, partitions), site, visitor_id)
    return ("FCALL", "observe_v1", 6, *names, _encode(batch), decoded.body, _encode(context))


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


def _projection(event: Event, at_ms: int, place: int, site: str, visitor_id: str) -> dict[str, Any]:
    """The part of an event that the profile is made of; names as in schema/redis."""
    page = event.page
    return {
        "n": place,
        "h": keys.event_hash(site, visitor_id, event.event_id),
        "e": event.type,
        "t": at_ms,
        "u": page.url if page else "",
        "r": page.referrer if page else "",
        "c": event.customer_id or "",
        "x": event.currency or "",
        "m": order_value_micros(event) if event.type == "purchase" else 0,
        "d": event.transaction_id or "",
        "q": event.search_term,
        "i": [_item(item) for item in event.items],
    }


def _item(item: Item) -> tuple[str, int, int, str, str]:
    price = UNKNOWN_PRICE if item.price is None else to_micros(item.price)
    return (item.item_id, item.quantity, price, item.item_name, item.item_category)
