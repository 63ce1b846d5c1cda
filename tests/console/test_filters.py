"""Reading a filter from the arguments of a request."""

from datetime import UTC, datetime, timedelta

import pytest

from baliza.errors import BadRequest
from baliza.sites import Site
from console.filters import Cursor, SessionFilter, parse_filter
from tests.support.rows import NOON

MADRID = Site("demo", "pk_demo", "", timezone="Europe/Madrid")
UTC_SITE = Site("demo", "pk_demo", "")


def parsed(site: Site = MADRID, **args: str) -> SessionFilter:
    return parse_filter(args, site, NOON)


def test_bare_date_is_a_day_of_the_sites_zone() -> None:
    found = parsed(since="2026-11-20", until="2026-11-20")
    assert found.since == datetime(2026, 11, 19, 23, tzinfo=UTC)
    assert found.until == datetime(2026, 11, 20, 23, tzinfo=UTC)


def test_day_of_the_clock_change_has_25_hours() -> None:
    found = parsed(since="2026-10-25", until="2026-10-25")
    assert found.until - found.since == timedelta(hours=25)


@pytest.mark.parametrize(
    "raw", ["2026-11-20T10:30Z", "2026-11-20T11:30:00+01:00", "2026-11-20T11:30:00 01:00", "2026-11-20T11:30"]
)
def test_instant_is_exact_and_without_offset_in_the_sites_zone(raw: str) -> None:
    assert parsed(since=raw).since == datetime(2026, 11, 20, 10, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("period", "first", "last"),
    [("today", 21, 22), ("yesterday", 20, 21), ("7d", 15, 22)],
)
def test_period_is_whole_days(period: str, first: int, last: int) -> None:
    found = parsed(UTC_SITE, period=period)
    assert (found.since, found.until) == (datetime(2026, 11, first, tzinfo=UTC), datetime(2026, 11, last, tzinfo=UTC))


def test_today_follows_the_zone_over_midnight() -> None:
    late = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)
    assert parse_filter({"period": "today"}, MADRID, late).since == datetime(2026, 11, 20, 23, tzinfo=UTC)


def test_takes_the_last_week_when_nothing_is_given() -> None:
    assert parsed(UTC_SITE) == parsed(UTC_SITE, period="7d", purchased=" ", source="", cursor="")


def test_since_alone_lasts_until_now_and_until_alone_a_week_before() -> None:
    assert parsed(since="2026-11-20").until == NOON
    assert parsed(until="2026-11-20T00:00Z").since == datetime(2026, 11, 13, tzinfo=UTC)


def test_reads_every_other_argument() -> None:
    found = parsed(purchased="true", abandoned="No", source="mail", device="phone", bots="1", limit="7", cursor="1000.s-1")
    assert (found.purchased, found.abandoned, found.bots, found.limit) == (True, False, True, 7)
    assert (found.source, found.device) == ("mail", "phone")
    assert found.after == Cursor(datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC), "s-1")
    assert str(found.after) == "1000.s-1"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"since": "x"}, "since: expected a date such as 2026-11-21 or an instant such as 2026-11-21T10:00:00Z, got 'x'"),
        ({"until": "0001-01-01"}, "until: expected a time from 2000 to 2199, got '0001-01-01'"),
        ({"since": "9999-12-31T23:59:59-23:00"}, "since: expected a date such as"),
        ({"since": "2026-11-21T12:00Z", "until": "2026-11-20"}, "since: expected a time before until, got since=2026"),
        ({"period": "1y"}, "period: expected one of today, yesterday, 7d, 30d, got '1y'"),
        ({"period": "7d", "since": "2026-11-01"}, "period: expected either a period or since/until"),
        ({"purchased": "maybe"}, "purchased: expected true or false, got 'maybe'"),
        ({"limit": "0"}, "limit: expected a whole number from 1 to 1000, got '0'"),
        ({"limit": "1001"}, "limit: expected a whole number from 1 to 1000, got '1001'"),
        ({"limit": "²"}, "limit: expected a whole number"),
        ({"cursor": "x"}, "cursor: expected the `next` of a page before, got 'x'"),
        ({"colour": "red"}, "colour: there is no such argument; expected some of abandoned, bots"),
    ],
)
def test_says_what_was_expected(args: dict[str, str], message: str) -> None:
    with pytest.raises(BadRequest) as raised:
        parsed(**args)
    assert message in str(raised.value)


def test_tells_of_a_zone_that_does_not_exist() -> None:
    with pytest.raises(BadRequest, match="site demo: expected a time zone such as Europe/Madrid, got 'Mars/Base'"):
        parsed(Site("demo", "pk", "", timezone="Mars/Base"))
