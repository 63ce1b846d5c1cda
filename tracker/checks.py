"""What the types of an event cannot say: time, money, and which fields a type needs. Pure; runs for every event."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final, NamedTuple

from schema.currencies import CURRENCIES
from schema.events import MAX_MONEY, NEEDS_ITEMS, Event
from tracker.explain import complaint, shown

__all__ = ["Problem", "TimeWindow", "find_problem"]

NUMBER: Final = "number ≥ 0"


@dataclass(frozen=True)
class TimeWindow:
    """Which event times are taken: (received − late_ms) to (received + future_ms). late_ms None: any past."""

    received_ms: int
    late_ms: int | None
    future_ms: int


class Problem(NamedTuple):
    """What was expected, what came, and in which field of the event."""

    expected: str
    got: str
    field: str

    def sentence(self, where: str) -> str:
        return complaint(self.expected, self.got, f"{where}.{self.field}")


def find_problem(event: Event, at_ms: int, window: TimeWindow) -> Problem | None:
    """The first thing wrong with a decoded event that happened at `at_ms` (corrected clock), or None."""
    return _time_problem(event, at_ms, window) or _item_problem(event) or _money_problem(event) or _field_problem(event)


def _time_problem(event: Event, at_ms: int, window: TimeWindow) -> Problem | None:
    if at_ms > window.received_ms + window.future_ms:
        return Problem("a time that is not in the future", f'"{event.occurred_at.isoformat()}"', "occurred_at")
    if window.late_ms is not None and at_ms < window.received_ms - window.late_ms:
        limit = f"a time of the last {window.late_ms // 3_600_000} hours (older ones need the secret key)"
        return Problem(limit, f'"{event.occurred_at.isoformat()}"', "occurred_at")
    return (
        Problem("a time after 2000", f'"{event.occurred_at.isoformat()}"', "occurred_at") if at_ms < YEAR_2000_MS else None
    )


# Clocks that were never set say 1970; nothing that a shop sends happened before web shops did.
YEAR_2000_MS: Final = 946_684_800_000


def _is_money(amount: Decimal) -> bool:
    return amount.is_finite() and 0 <= amount <= MAX_MONEY


def _item_problem(event: Event) -> Problem | None:
    if not event.items:
        return Problem(f"at least one item in a {event.type}", "none", "items") if event.type in NEEDS_ITEMS else None
    for place, item in enumerate(event.items):
        if item.price is not None and not _is_money(item.price):
            return Problem(NUMBER, str(item.price), f"items[{place}].price")
        if item.discount is not None and not _is_money(item.discount):
            return Problem(NUMBER, str(item.discount), f"items[{place}].discount")
    return None


def _money_problem(event: Event) -> Problem | None:
    for name, amount in (("value", event.value), ("shipping", event.shipping), ("tax", event.tax)):
        if amount is not None and not _is_money(amount):
            return Problem(NUMBER, str(amount), name)
    if event.currency is not None and event.currency not in CURRENCIES:
        return Problem('an ISO 4217 code like "EUR"', shown(event.currency), "currency")
    if event.value is not None and event.currency is None:
        return Problem("an ISO 4217 code with a value", "none", "currency")
    return None


def _field_problem(event: Event) -> Problem | None:
    if event.type == "purchase" and event.transaction_id is None:
        return Problem("the order's id in a purchase", "none", "transaction_id")
    if event.content is None and event.type in FAROS:
        return Problem(f"kind and id in a {event.type}", "none", "content")
    if event.consent is None and event.type == "consent":
        return Problem('"granted" or "denied" in a consent event', "none", "consent")
    return None


FAROS: Final = frozenset({"faro_view", "faro_hover", "faro_click"})
