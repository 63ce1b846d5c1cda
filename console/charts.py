"""The chart of sessions over time: from counted buckets to bars with places and heights. Pure."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import Final
from zoneinfo import ZoneInfo

from msgspec import Struct

from console.rows import Summary
from console.showing import clock, day
from console.strings import ENGLISH, counted, text

__all__ = ["HEIGHT", "STEP", "Bar", "Chart", "chart_of"]

# Units of the drawing, which is stretched to the width that there is.
STEP: Final = 10
HEIGHT: Final = 100
MAX_BARS: Final = 400


class Bar(Struct, frozen=True):
    """One bucket: where it stands, how high it is, and how much of that is sessions with a purchase."""

    x: int
    height: float
    bought: float
    words: str


class Chart(Struct, frozen=True):
    """Bars side by side, the number that the full height means, and words below: first, middle, last."""

    title: str
    width: int
    most: int
    bars: list[Bar]
    below: list[str]


def chart_of(summary: Summary, since: datetime, until: datetime, zone: ZoneInfo) -> Chart:
    """The chart of a summary, with empty buckets where nothing was."""
    known = {bucket.beginning: bucket for bucket in summary.over_time}
    beginnings = list(takewhile(lambda beginning: beginning < until, _beginnings(summary.unit, since, zone)))[:MAX_BARS]
    most = max((bucket.sessions for bucket in summary.over_time), default=0)
    bars = []
    for place, beginning in enumerate(beginnings):
        bucket = known.get(beginning)
        sessions, bought = (bucket.sessions, bucket.with_purchase) if bucket else (0, 0)
        when = _name(summary.unit, beginning, zone)
        words = text("chart.bar", when=when, sessions=counted("sessions", sessions), bought=bought)
        bars.append(Bar(place * STEP, _height(sessions, most), _height(bought, most), words))
    labelled = sorted({0, len(beginnings) // 2, len(beginnings) - 1})
    below = [_name(summary.unit, beginnings[place], zone) for place in labelled]
    return Chart(text(f"chart.{summary.unit}"), len(beginnings) * STEP, most, bars, below)


def _height(count: int, most: int) -> float:
    return round(HEIGHT * count / most, 2) if most else 0.0


def _beginnings(unit: str, since: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    """Where buckets begin, from the one that holds `since` on, UTC."""
    local = since.astimezone(zone).replace(minute=0, second=0, microsecond=0)
    if unit == "hour":
        moment = local.astimezone(UTC)
        while True:
            yield moment
            moment += timedelta(hours=1)
    # Wall-clock steps: a day of the zone is 23 or 25 hours long when the clocks change.
    local = local.replace(hour=0, day=1 if unit == "month" else local.day)
    while True:
        yield local.astimezone(UTC)
        local += timedelta(days=1)
        while unit == "month" and local.day != 1:
            local += timedelta(days=1)


def _name(unit: str, beginning: datetime, zone: ZoneInfo) -> str:
    if unit == "hour":
        return f"{day(beginning, zone)} {clock(beginning, zone)}"
    if unit == "day":
        return day(beginning, zone)
    local = beginning.astimezone(zone)
    return f"{ENGLISH['months'].split()[local.month - 1]} {local.year}"
