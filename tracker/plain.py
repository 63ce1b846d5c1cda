"""Batches of ordinary events, decoded once: their types say whatever can be said of them, so that hardly a check is left.

Amounts are floats here, which is exact for all that has six decimals and may be kept. Whatever is not that plain (an
amount that is written as text, a tax, an order) is nobody's fault: beacon.py decodes it anew.
"""

from typing import TYPE_CHECKING, Annotated, Final, Literal

import msgspec
from msgspec import Meta

from schema.currencies import CURRENCIES
from schema.events import (
    MAX_EVENTS_PER_BATCH,
    MAX_ITEMS_PER_EVENT,
    MAX_MONEY,
    MICROS,
    NEEDS_ITEMS,
    Batch,
    Event,
    Item,
)
from tracker.beacon import Decoded, clock_shift_ms, whole
from tracker.checks import FAROS, NEEDS_FIELDS, YEAR_2000_MS, TimeWindow

__all__ = ["decode_plain"]

Amount = Annotated[float, Meta(ge=0, le=float(MAX_MONEY))]
if TYPE_CHECKING:
    Currency = str
else:
    Currency = Literal[tuple(CURRENCIES)]
# Of a micro-unit: what a float may be beside a whole number of them by its nature.
NOISE: Final = 0.01


class PlainItem(Item, gc=False):
    """An item with a price at most."""

    price: Amount | None = None  # type: ignore[assignment]
    discount: None = None


class PlainEvent(Event, gc=False):
    """An event whose money, if any, is a value in a currency that there is."""

    currency: Currency | None = None
    value: Amount | None = None  # type: ignore[assignment]
    shipping: None = None
    tax: None = None
    items: Annotated[list[PlainItem], Meta(max_length=MAX_ITEMS_PER_EVENT)] = []  # type: ignore[assignment]  # noqa: RUF012


class PlainBatch(Batch, gc=False):
    """A batch of such events only."""

    events: Annotated[list[PlainEvent], Meta(min_length=1, max_length=MAX_EVENTS_PER_BATCH)]  # type: ignore[assignment]


_batch = msgspec.json.Decoder(PlainBatch)


def decode_plain(body: bytes, window: TimeWindow) -> Decoded | None:
    """As decode(), of a batch that is plain throughout; None for any other. No event is an order."""
    batch = whole(body, _batch)
    if batch is None:
        return None
    received_ms, late_ms, future_ms = window
    earliest, latest = max(received_ms - late_ms, YEAR_2000_MS) if late_ms else YEAR_2000_MS, received_ms + future_ms
    shift = clock_shift_ms(batch.sent_at, window)
    times = []
    for event in batch.events:
        at = round(event.occurred_at.timestamp() * 1000) + shift
        if not (earliest <= at <= latest and _is_plain(event)):
            return None
        times.append(at)
    return Decoded(batch.key or "", batch.visitor or "", batch.events, times, body, user_agent=batch.user_agent or "")  # type: ignore[arg-type]


def _is_plain(event: PlainEvent) -> bool:
    kind, items = event.type, event.items
    if kind in NEEDS_FIELDS and (kind not in FAROS or event.content is None):
        return False
    if event.value is not None and event.currency is None:
        return False
    for item in items:
        if item.price and NOISE < item.price * MICROS % 1.0 < 1.0 - NOISE:
            return False
    return bool(items) or kind not in NEEDS_ITEMS
