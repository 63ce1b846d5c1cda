"""What the types of an event cannot say: time, money, and which fields a type needs. Pure; runs for every event."""

from decimal import Decimal, InvalidOperation
from typing import Final, NamedTuple

from schema.currencies import CURRENCIES
from schema.events import MAX_MONEY, NEEDS_ITEMS, Event
from tracker.explain import MONEY, complaint, shown

__all__ = ["Problem", "TimeWindow", "find_problem"]

ZERO: Final = Decimal(0)
# Clocks that were never set say 1970; nothing that a shop sends happened before web shops did.
YEAR_2000_MS: Final = 946_684_800_000
FAROS: Final = frozenset({"faro_view", "faro_hover", "faro_click"})
NEEDS_FIELDS: Final = FAROS | {"purchase", "consent"}


class TimeWindow(NamedTuple):
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
    now = window.received_ms
    in_time = now - (window.late_ms or 0) <= at_ms <= now
    if in_time and _is_plain(event):
        return None
    if not in_time and (problem := _time_problem(event, at_ms, window)):
        return problem
    if event.items:
        if problem := _item_problem(event):
            return problem
    elif event.type in NEEDS_ITEMS:
        return Problem(f"at least one item in a {event.type}", "none", "items")
    return _money_problem(event) or (_field_problem(event) if event.type in NEEDS_FIELDS else None)


def _is_plain(event: Event) -> bool:
    """True when nothing can be wrong with the event but its time, and that is seen at a glance, as it is of most."""
    kind, value, items = event.type, event.value, event.items
    if kind in NEEDS_FIELDS or not (items or kind not in NEEDS_ITEMS):
        return False
    if event.shipping is not None or event.tax is not None:
        return False
    if event.currency not in CURRENCIES and not (event.currency is None and value is None):
        return False
    try:
        for item in items:
            price = item.price
            if item.discount is not None or (price is not None and not ZERO <= price <= MAX_MONEY):
                return False
        return value is None or ZERO <= value <= MAX_MONEY
    except InvalidOperation:  # nothing compares with what is no number
        return False


def _time_problem(event: Event, at_ms: int, window: TimeWindow) -> Problem | None:
    if at_ms > window.received_ms + window.future_ms:
        expected = "a time that is not in the future"
    elif window.late_ms is not None and at_ms < window.received_ms - window.late_ms:
        expected = f"a time of the last {window.late_ms // 3_600_000} hours (older ones need the secret key)"
    elif at_ms < YEAR_2000_MS:
        expected = "a time after 1999"
    else:
        return None
    return Problem(expected, shown(event.occurred_at), "occurred_at")


def _item_problem(event: Event) -> Problem | None:
    for place, item in enumerate(event.items):
        if item.price is not None and not _is_money(item.price):
            return _amount_problem(item.price, f"items[{place}].price")
        if item.discount is not None and not _is_money(item.discount):
            return _amount_problem(item.discount, f"items[{place}].discount")
    return None


def _is_money(amount: Decimal) -> bool:
    # Nothing compares with what is no number, so that is asked first.
    return amount.is_finite() and ZERO <= amount <= MAX_MONEY


def _amount_problem(amount: Decimal, field: str) -> Problem:
    over = amount.is_finite() and amount > 0
    return Problem(f"number ≤ {MAX_MONEY}" if over else MONEY, shown(amount), field)


def _money_problem(event: Event) -> Problem | None:
    value, shipping, tax, currency = event.value, event.shipping, event.tax, event.currency
    if value is not None and not _is_money(value):
        return _amount_problem(value, "value")
    if shipping is not None and not _is_money(shipping):
        return _amount_problem(shipping, "shipping")
    if tax is not None and not _is_money(tax):
        return _amount_problem(tax, "tax")
    if currency is None:
        return Problem("an ISO 4217 code with a value", "none", "currency") if value is not None else None
    return None if currency in CURRENCIES else Problem('an ISO 4217 code like "EUR"', shown(currency), "currency")


def _purchase_problem(event: Event) -> Problem | None:
    if event.transaction_id is None:
        return Problem("the order's id in a purchase", "none", "transaction_id")
    worth = sum((item.price * item.quantity for item in event.items if item.price is not None), start=Decimal(0))
    if worth > MAX_MONEY:
        return Problem(f"items worth at most {MAX_MONEY} in all", shown(worth), "items")
    if worth and event.currency is None:
        return Problem("an ISO 4217 code with prices in a purchase", "none", "currency")
    return None


def _field_problem(event: Event) -> Problem | None:
    if event.type == "purchase":
        return _purchase_problem(event)
    if event.content is None and event.type in FAROS:
        return Problem(f"kind and id of what was seen in a {event.type}", "none", "content")
    if event.consent is None and event.type == "consent":
        return Problem('"granted" or "denied" in a consent event', "none", "consent")
    return None
