"""Sessions as marketers see them: pages of rows, their summary, and the story of one session. Reads the history; blocks."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from baliza.errors import NotFound
from baliza.readiness.model import ReadinessModel
from baliza.readiness.rules import PURPOSES
from baliza.stores import History, query
from console.filters import EARLIEST, LATEST, Cursor, SessionFilter, from_milliseconds, milliseconds, parse_filter
from console.foretold import foretold
from console.rows import Page, SessionRow, Story, Summary, bucket, plain, session_row, story_events

__all__ = [
    "SessionFilter", "all_sessions", "choices", "has_sessions", "parse_filter", "session_story", "sessions", "summary",
]  # fmt: skip

# A late event may set the beginning of a session before the time at which it was opened, at most by its longest length.
LONGEST_SESSION: Final = timedelta(hours=24)
FIRST_SLICE: Final = timedelta(hours=6)
SLICE_GROWTH: Final = 4
MAX_STORY_EVENTS: Final = 2000


def sessions(history: History, wanted: SessionFilter, cart_idle_s: int, now: datetime) -> Page:
    """One page, newest opened first. Raises StoreDown."""
    records: list[dict[str, Any]] = []
    upper = wanted.after or Cursor(wanted.until + LONGEST_SESSION, "")
    for opened_from in slices(wanted.since, min(wanted.until, now, upper.opened_at)):
        # One more than shown tells whether there is a next page.
        within = _slice(opened_from, upper, now) | {"limit": wanted.limit + 1 - len(records), "session_id": ""}
        records += history.records(query("reports_sessions"), _bound(wanted, cart_idle_s, now) | within)
        if len(records) > wanted.limit:
            break
        upper = Cursor(opened_from, "")
    shown = records[: wanted.limit]
    more = len(records) > wanted.limit
    cursor = str(Cursor(shown[-1]["opened_at"], shown[-1]["session_id"])) if more else None
    return Page([session_row(record) for record in shown], cursor)


def slices(since: datetime, newest: datetime) -> Iterator[datetime]:
    """Where the slices of [since, newest) begin, newest first, each longer than the one before.

    The newest page of a long period then reads hours, not weeks; a rare kind of session is still found in few queries.
    """
    length, start = FIRST_SLICE, newest
    while True:
        start = max(since, start - length)
        yield start
        if start == since:
            return
        length *= SLICE_GROWTH


def all_sessions(history: History, wanted: SessionFilter, cart_idle_s: int, now: datetime) -> Iterator[SessionRow]:
    """Every session of the filter, page after page."""
    page = sessions(history, wanted, cart_idle_s, now)
    yield from page.sessions
    while page.next:
        moment, _, session_id = page.next.partition(".")
        after = Cursor(from_milliseconds(int(moment)), session_id)
        page = sessions(history, msgspec.structs.replace(wanted, after=after), cart_idle_s, now)
        yield from page.sessions


def summary(history: History, wanted: SessionFilter, cart_idle_s: int, now: datetime, zone: ZoneInfo) -> Summary:
    """Totals of the filter and its sessions over time in the zone. Reads all of its sessions. Raises StoreDown."""
    unit = unit_of(wanted)
    found = history.records(
        query("reports_summary"),
        _bound(wanted, cart_idle_s, now)
        | _slice(wanted.since, Cursor(wanted.until + LONGEST_SESSION, ""), now)
        | {"unit": unit, "zone": zone.key},
    )
    revenue: dict[str, Decimal] = {}
    for record in found:
        for currency, amount in record["revenue"].items():
            revenue[currency] = revenue.get(currency, Decimal(0)) + amount
    return Summary(
        sessions=sum(record["sessions"] for record in found),
        with_purchase=sum(record["with_purchase"] for record in found),
        with_abandoned_cart=sum(record["with_abandoned_cart"] for record in found),
        revenue={currency: plain(amount) for currency, amount in sorted(revenue.items())},
        purposes={name: sum(record["purposes"][place] for record in found) for place, name in enumerate(PURPOSES)},
        unit=unit,
        over_time=[bucket(record) for record in found],
    )


def unit_of(wanted: SessionFilter) -> str:
    """What one bar of the chart covers: hour up to two days, day up to four months, else month."""
    length = wanted.until - wanted.since
    if length <= timedelta(days=2, hours=2):
        return "hour"
    return "day" if length <= timedelta(days=124) else "month"


def session_story(
    history: History, site: str, session_id: str, cart_idle_s: int, now: datetime, model: ReadinessModel | None = None
) -> Story:
    """The session with all its events in order. Raises NotFound, also when it is another site's; StoreDown.

    model: what tells how ready the visitor was at each step; without one the rules do.
    """
    always = SessionFilter(site=site, since=EARLIEST, until=LATEST, bots=True)
    within = _slice(EARLIEST, Cursor(LATEST, ""), now) | {"limit": 1, "session_id": session_id, "in_order": 0}
    found = history.records(query("reports_sessions"), _bound(always, cart_idle_s, now) | within) if session_id else []
    if not found:
        raise NotFound(f"site {site} has no session {session_id!r}; the list of sessions shows the ones it has")
    row = session_row(found[0])
    records = history.records(
        query("reports_story"),
        {
            "site": site,
            "session_id": session_id,
            "visitor_id": row.visitor_id,
            "started_at": milliseconds(row.started_at),
            "ended_at": milliseconds(row.ended_at),
            "limit": MAX_STORY_EVENTS + 1,
        },
    )
    events = story_events(records[:MAX_STORY_EVENTS])
    told = foretold(history, site, row, events, model)
    along = [msgspec.structs.replace(event, readiness=ready) for event, ready in zip(events, told, strict=True)]
    return Story(row, along, len(records) > MAX_STORY_EVENTS, "model" if model else "rules")


def has_sessions(history: History, site: str) -> bool:
    """Whether anything was ever observed on the site."""
    return bool(history.rows("SELECT 1 FROM sessions WHERE site = %(site)s LIMIT 1", {"site": site}))


def choices(history: History, site: str) -> tuple[list[str], list[str]]:
    """Sources and devices of the newest sessions, most frequent first, to choose a filter from."""
    sources, devices = history.rows(query("reports_choices"), {"site": site})[0]
    return [name for name in sources if name], [name for name in devices if name]


def _bound(wanted: SessionFilter, cart_idle_s: int, now: datetime) -> dict[str, object]:
    return {
        "site": wanted.site,
        "since": milliseconds(wanted.since),
        "until": milliseconds(wanted.until),
        "purchased": -1 if wanted.purchased is None else int(wanted.purchased),
        "abandoned": -1 if wanted.abandoned is None else int(wanted.abandoned),
        "purpose": wanted.purpose,
        "source": wanted.source,
        "device": wanted.device,
        "bots": int(wanted.bots),
        "idle_before": milliseconds(now) - cart_idle_s * 1000,
    }


def _slice(opened_from: datetime, upper: Cursor, now: datetime) -> dict[str, object]:
    """In the order of the key the history needs little memory for a long slice; a short one takes half as long again."""
    bounds = {"opened_from": milliseconds(opened_from), "opened_to": milliseconds(upper.opened_at)}
    is_long = min(upper.opened_at, now) - opened_from > FIRST_SLICE + LONGEST_SESSION
    return bounds | {"before_id": upper.session_id, "in_order": int(is_long)}
