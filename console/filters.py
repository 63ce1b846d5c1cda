"""Which sessions a report is about: a filter read from the arguments of a request. Pure."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from msgspec import Struct

from baliza.errors import BadRequest
from baliza.readiness.rules import PURPOSES
from baliza.sites import Site

__all__ = ["MAX_LIMIT", "PERIODS", "Cursor", "SessionFilter", "parse_filter", "zone_of"]

MAX_LIMIT: Final = 1000
DEFAULT_LIMIT: Final = 100
DEFAULT_PERIOD: Final = "7d"
# First and last day of the period, counted back from today in the site's zone.
PERIODS: Final[Mapping[str, tuple[int, int]]] = {"today": (0, 0), "yesterday": (1, 1), "7d": (6, 0), "30d": (29, 0)}
EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)
WORDS: Final = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
NAMES: Final = frozenset(
    "site format period since until purchased abandoned purpose source device bots limit cursor".split()
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Cursor(Struct, frozen=True):
    """The last session of a page; the next page holds the ones that were opened before it."""

    opened_at: datetime
    session_id: str

    def __str__(self) -> str:
        return f"{milliseconds(self.opened_at)}.{self.session_id}"


class SessionFilter(Struct, frozen=True, kw_only=True):
    """Sessions of one site that began in [since, until), UTC. None and "" do not filter; people only unless `bots`."""

    site: str
    since: datetime
    until: datetime
    purchased: bool | None = None
    abandoned: bool | None = None
    purpose: str = ""
    source: str = ""
    device: str = ""
    bots: bool = False
    limit: int = DEFAULT_LIMIT
    after: Cursor | None = None


def parse_filter(args: Mapping[str, str], site: Site, now: datetime) -> SessionFilter:
    """The filter that the arguments describe; an empty argument is one not given.

    A bare date is a whole day in the site's zone, so `until=2026-11-21` includes that day; an instant without an offset
    is in the site's zone too, and `until` excludes it. Without a period the last 7 days. BadRequest says which argument.
    """
    given = {name: value.strip() for name, value in args.items() if value.strip()}
    unknown = sorted(given.keys() - NAMES)
    if unknown:
        raise BadRequest(f"{unknown[0]}: there is no such argument; expected some of {', '.join(sorted(NAMES))}")
    since, until = _period(given, zone_of(site), now)
    return SessionFilter(
        site=site.name,
        since=since,
        until=until,
        purchased=_flag(given, "purchased"),
        abandoned=_flag(given, "abandoned"),
        purpose=_purpose(given),
        source=given.get("source", ""),
        device=given.get("device", ""),
        bots=_flag(given, "bots") or False,
        limit=_limit(given),
        after=_cursor(given),
    )


def zone_of(site: Site) -> ZoneInfo:
    """The site's time zone. BadRequest when the registry holds a name that no zone has."""
    try:
        return ZoneInfo(site.timezone)
    except (KeyError, ValueError, OSError):
        raise BadRequest(f"site {site.name}: expected a time zone such as Europe/Madrid, got {site.timezone!r}") from None


def milliseconds(instant: datetime) -> int:
    """Since the epoch; exact, where timestamp() would go through a float."""
    return (instant - _EPOCH) // timedelta(milliseconds=1)


def from_milliseconds(moment: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=moment)


def _period(given: Mapping[str, str], zone: ZoneInfo, now: datetime) -> tuple[datetime, datetime]:
    dated = "since" in given or "until" in given
    if "period" in given and dated:
        raise BadRequest(f"period: expected either a period or since/until, got period={given['period']!r} and dates")
    if not dated:
        return _named_period(given.get("period", DEFAULT_PERIOD), zone, now)
    until = _instant("until", given["until"], zone, end=True) if "until" in given else now
    since = _instant("since", given["since"], zone) if "since" in given else until - timedelta(days=7)
    if since >= until:
        raise BadRequest(f"since: expected a time before until, got since={_text(since)} and until={_text(until)}")
    return since, until


def _named_period(name: str, zone: ZoneInfo, now: datetime) -> tuple[datetime, datetime]:
    if name not in PERIODS:
        raise BadRequest(f"period: expected one of {', '.join(PERIODS)}, got {name!r}")
    first, last = PERIODS[name]
    today = now.astimezone(zone).date()
    return _midnight(today - timedelta(days=first), zone), _midnight(today - timedelta(days=last - 1), zone)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _instant(name: str, raw: str, zone: ZoneInfo, *, end: bool = False) -> datetime:
    # A plus sign that was not escaped arrives from a query string as a space.
    text = re.sub(r"(T[\d:.]+) (\d\d:?\d\d)$", r"\1+\2", raw)
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
            found = _midnight(date.fromisoformat(text) + timedelta(days=int(end)), zone)
        else:
            parsed = datetime.fromisoformat(text)
            found = (parsed if parsed.tzinfo else parsed.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        expected = "a date such as 2026-11-21 or an instant such as 2026-11-21T10:00:00Z"
        raise BadRequest(f"{name}: expected {expected}, got {raw!r}") from None
    if not EARLIEST <= found <= LATEST:
        raise BadRequest(f"{name}: expected a time from 2000 to 2199, got {raw!r}")
    return found


def _text(instant: datetime) -> str:
    return instant.isoformat().replace("+00:00", "Z")


def _flag(given: Mapping[str, str], name: str) -> bool | None:
    raw = given.get(name)
    if raw is None:
        return None
    if raw.lower() not in WORDS:
        raise BadRequest(f"{name}: expected true or false, got {raw!r}")
    return WORDS[raw.lower()]


def _purpose(given: Mapping[str, str]) -> str:
    found = given.get("purpose", "")
    if found and found not in PURPOSES:
        raise BadRequest(f"purpose: expected one of {', '.join(PURPOSES)}, got {found!r}")
    return found


def _limit(given: Mapping[str, str]) -> int:
    raw = given.get("limit")
    if raw is None:
        return DEFAULT_LIMIT
    if not re.fullmatch(r"[0-9]{1,9}", raw) or not 1 <= int(raw) <= MAX_LIMIT:
        raise BadRequest(f"limit: expected a whole number from 1 to {MAX_LIMIT}, got {raw!r}")
    return int(raw)


def _cursor(given: Mapping[str, str]) -> Cursor | None:
    raw = given.get("cursor")
    if raw is None:
        return None
    matched = re.fullmatch(r"([0-9]{1,13})\.(.{1,100})", raw)
    if not matched:
        raise BadRequest(f"cursor: expected the `next` of a page before, got {raw!r}")
    return Cursor(from_milliseconds(int(matched[1])), matched[2])
