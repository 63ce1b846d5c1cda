"""How visitors answered offers, from the decision to the order: by placement, source and response code."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from math import sqrt
from typing import Any, Final

from msgspec import Struct

from baliza.stores import History, query
from schema.events import from_micros, to_micros

__all__ = ["WINDOW_MS", "Answered", "Line", "Report", "interval", "read_answers", "report_of", "show", "total"]

WINDOW_MS: Final = (
    5 * 24 * 3_600_000
)  # the attribution window: a purchase so long after an offer was seen still counts as its
Z: Final = 1.959964  # 95 %


@dataclass
class Answered:
    """Offers of one placement, source and response code; earned by currency. via_click: of those bought, after a click."""

    placement: str
    source: str
    response_code: str
    decided: int = 0
    shown: int = 0
    clicked: int = 0
    dismissed: int = 0
    added: int = 0
    bought: int = 0
    via_click: int = 0
    earned: dict[str, Decimal] = field(default_factory=dict)


class Line(Struct, frozen=True):
    """A row of the report. `revenue` by currency, in major units. `rate`: clicked of shown, with its 95 % interval.

    The rate and its bounds are null when nothing was shown.
    """

    placement: str
    source: str
    response_code: str
    decided: int
    shown: int
    clicked: int
    dismissed: int
    added: int
    bought: int
    revenue: dict[str, Decimal]
    rate: float | None
    rate_low: float | None
    rate_high: float | None


class Report(Struct, frozen=True):
    """What became of the offers of a site that were decided in [since, until). `responses`: most shown first."""

    site: str
    since: datetime
    until: datetime
    attribution_window_s: int
    responses: list[Line]
    total: Line


def report_of(site: str, found: Sequence[Answered], since: datetime, until: datetime) -> Report:
    """The report for the outside."""
    return Report(site, since, until, WINDOW_MS // 1000, [show(each) for each in found], show(total(found)))


def read_answers(history: History, site: str, since: datetime, until: datetime) -> list[Answered]:
    """What became of offers decided in [since, until), most shown first. Two queries. Raises StoreDown."""
    asked: dict[str, Any] = {"site": site, "since_ms": _ms(since), "until_ms": _ms(until), "window_ms": WINDOW_MS}
    found = {row[:3]: Answered(*row) for row in history.rows(query("responses_answered"), asked)}
    for placement, source, code, *numbers, earned in history.rows(query("responses_followed"), asked):
        # Events go on coming in between two queries.
        each = found.setdefault((placement, source, code), Answered(placement, source, code))
        each.added, each.bought, each.via_click = numbers
        each.earned = dict(earned)
    return sorted(found.values(), key=lambda each: (-each.shown, -each.decided, each.placement, each.source))


def show(found: Answered) -> Line:
    """The row for the outside."""
    low, high = interval(found.clicked, found.shown)
    return Line(
        placement=found.placement,
        source=found.source,
        response_code=found.response_code,
        decided=found.decided,
        shown=found.shown,
        clicked=found.clicked,
        dismissed=found.dismissed,
        added=found.added,
        bought=found.bought,
        revenue={currency: from_micros(to_micros(amount)) for currency, amount in sorted(found.earned.items())},
        rate=round(found.clicked / found.shown, 6) if found.shown else None,
        rate_low=low,
        rate_high=high,
    )


def total(found: Sequence[Answered], placement: str = "") -> Answered:
    """The sum of all."""
    names = ("decided", "shown", "clicked", "dismissed", "added", "bought", "via_click")
    sums = {name: sum(getattr(each, name) for each in found) for name in names}
    earned: dict[str, Decimal] = {}
    for each in found:
        for currency, amount in each.earned.items():
            earned[currency] = earned.get(currency, Decimal(0)) + amount
    return Answered(placement, "", "", **sums, earned=earned)


def interval(clicked: int, shown: int) -> tuple[float | None, float | None]:
    """Wilson's (1927) interval in which the true rate lies with 95 %; sound for small counts, too."""
    if not shown:
        return None, None
    rate, spread = clicked / shown, Z * Z / shown
    middle = (rate + spread / 2) / (1 + spread)
    half = Z * sqrt(rate * (1 - rate) / shown + spread / (4 * shown)) / (1 + spread)
    return round(max(0.0, middle - half), 6), round(min(1.0, middle + half), 6)


def _ms(instant: datetime) -> int:
    return round(instant.timestamp() * 1000)
