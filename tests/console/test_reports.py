"""Sessions from a real history."""

import itertools
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from baliza.errors import NotFound
from baliza.readiness.rules import PURPOSES, purpose_of, purposes
from baliza.sites import Site
from baliza.stores import History
from console.filters import SessionFilter, parse_filter
from console.reports import all_sessions, choices, has_sessions, session_story, sessions, slices, summary, unit_of
from tests.baliza.readiness.visits import seen
from tests.support.rows import NOON, event_row, insert_events

pytestmark = pytest.mark.clickhouse
IDLE_S = 3600
SITE = Site("demo", "pk_demo", "")
Row = dict[str, Any]


def visit(name: str, minutes_ago: float = 10, **given: Any) -> Row:
    """One event that is a session of its own."""
    at = NOON - timedelta(minutes=minutes_ago)
    return event_row(session_id=name, visitor_id=f"v-{name}", occurred_at=at, session_opened_at=at, **given)


def bought(name: str, minutes_ago: float = 10, amount: str = "20", currency: str = "EUR") -> Row:
    return visit(name, minutes_ago, type="purchase", revenue=Decimal(amount), currency=currency)


def wanted(**args: str) -> SessionFilter:
    return parse_filter(args, SITE, NOON)


def names(history: History, **args: str) -> list[str]:
    return [row.session_id for row in sessions(history, wanted(**args), IDLE_S, NOON).sessions]


def test_row_tells_the_whole_session(history: History) -> None:
    later = {"occurred_at": NOON + timedelta(seconds=70), "session_opened_at": NOON}
    insert_events(
        history,
        [
            event_row(page_path="/landing", referrer="https://a.test/", source="mail", medium="email", campaign="autumn"),
            event_row(type="view_item", session_event=2, session_opened_at=NOON, occurred_at=NOON + timedelta(seconds=5)),
            event_row(type="add_to_cart", session_event=3, cart_pieces=2, cart_value=Decimal("79.8"), **later),
        ],
    )
    (row,) = sessions(history, wanted(period="today"), IDLE_S, NOON + timedelta(minutes=5)).sessions
    assert msgspec.to_builtins(row) == {
        "session_id": "s-1", "visitor_id": "v-1", "customer_id": "",
        "started_at": "2026-11-21T12:00:00Z", "ended_at": "2026-11-21T12:01:10Z", "duration_s": 70,
        "events": 3, "page_views": 1, "item_views": 1, "cart_adds": 1, "checkouts": 0, "purchases": 0, "revenue": {},
        "cart_pieces": 2, "cart_value": "79.80", "cart_currency": "EUR", "abandoned": False, "purpose": "buy",
        "landing_path": "/landing", "referrer": "https://a.test/", "source": "mail", "medium": "email", "campaign": "autumn",
        "device": "desktop", "browser": "Firefox", "os": "Linux", "bot": "",
    }  # fmt: skip


def test_filters_by_purchase_source_and_device(history: History) -> None:
    insert_events(history, [bought("a", 30), visit("b", 20, source="mail"), visit("c", 10, device="phone")])
    assert names(history) == ["c", "b", "a"]
    assert names(history, purchased="true") == ["a"]
    assert names(history, purchased="false") == ["c", "b"]
    assert names(history, source="mail") == ["b"]
    assert names(history, source="MAIL") == ["b"], "people write names as they like"
    assert names(history, device="phone") == ["c"]
    assert names(history, device="phone", source="mail") == []


def test_abandoned_is_a_full_cart_left_alone_without_purchase(history: History) -> None:
    full = {"type": "add_to_cart", "cart_pieces": 1, "cart_value": Decimal(5)}
    insert_events(
        history,
        [
            visit("left", 61, **full),
            visit("fresh", 59, **full),
            visit("emptied", 90, type="remove_from_cart"),
            {**bought("bought", 80), "cart_pieces": 1},
        ],
    )
    assert names(history, abandoned="true") == ["left"]
    assert names(history, abandoned="false") == ["fresh", "bought", "emptied"]


def test_cart_change_after_it_was_full_counts_in_order_of_time(history: History) -> None:
    filled = visit("s", 90, type="add_to_cart", cart_pieces=1)
    emptied = {**filled, "type": "remove_from_cart", "occurred_at": NOON - timedelta(minutes=80), "cart_pieces": 0}
    insert_events(history, [emptied])
    insert_events(history, [filled])
    assert names(history, abandoned="true") == []


def test_bots_are_left_out_unless_asked_for(history: History) -> None:
    insert_events(history, [visit("person"), visit("robot", bot="crawler")])
    assert names(history) == ["person"]
    assert sorted(names(history, bots="true")) == ["person", "robot"]
    assert summary(history, wanted(), IDLE_S, NOON, ZoneInfo("UTC")).sessions == 1


def test_site_sees_its_own_sessions_only(history: History) -> None:
    insert_events(history, [visit("mine"), visit("theirs", site="other")])
    assert names(history) == ["mine"]
    with pytest.raises(NotFound, match="site demo has no session 'theirs'"):
        session_story(history, "demo", "theirs", IDLE_S, NOON)


def test_late_event_moves_the_beginning_over_midnight(history: History) -> None:
    midnight = datetime(2026, 11, 21, tzinfo=UTC)
    opened = event_row(occurred_at=midnight + timedelta(minutes=5), session_opened_at=midnight + timedelta(minutes=5))
    insert_events(history, [opened])
    assert names(history, period="today") == ["s-1"]
    insert_events(
        history, [{**opened, "event_id": "late", "occurred_at": midnight - timedelta(minutes=5), "session_event": 0}]
    )
    assert names(history, period="today") == []
    assert names(history, period="yesterday") == ["s-1"]


def test_pages_cover_every_session_once(history: History) -> None:
    # Four share a millisecond, so the cursor must tell them apart by their ids.
    insert_events(history, [visit(f"s-{n:03}", 600 * (n // 4)) for n in range(23)])
    seen, after = [], ""
    for _ in range(6):
        page = sessions(history, wanted(limit="4", period="30d", cursor=after), IDLE_S, NOON)
        seen += [row.session_id for row in page.sessions]
        after = page.next or ""
    assert page.next is None
    assert len(seen) == 23
    assert sorted(set(seen)) == sorted(seen)
    everything = all_sessions(history, wanted(limit="5", period="30d"), IDLE_S, NOON)
    assert [row.session_id for row in everything] == seen


def test_page_that_is_just_full_has_no_next(history: History) -> None:
    insert_events(history, [visit("a"), visit("b")])
    assert sessions(history, wanted(limit="2"), IDLE_S, NOON).next is None
    assert sessions(history, wanted(limit="1"), IDLE_S, NOON).next is not None


def test_summary_counts_what_the_pages_show(history: History) -> None:
    left = visit("left", 120, type="add_to_cart", cart_pieces=1)
    insert_events(history, [bought("a"), bought("b", amount="0.5"), bought("c", 2000, "7", "USD"), left])
    found = summary(history, wanted(), IDLE_S, NOON, ZoneInfo("UTC"))
    assert (found.sessions, found.with_purchase, found.with_abandoned_cart) == (4, 3, 1)
    assert found.revenue == {"EUR": "20.50", "USD": "7.00"}
    assert [(bucket.beginning.day, bucket.sessions) for bucket in found.over_time] == [(20, 1), (21, 3)]
    assert summary(history, wanted(source="mail"), IDLE_S, NOON, ZoneInfo("UTC")).sessions == 0
    assert summary(history, wanted(source="direct"), IDLE_S, NOON, ZoneInfo("UTC")).sessions == 4


def test_buckets_follow_the_zone(history: History) -> None:
    insert_events(history, [visit("late", 13 * 60 - 30)])  # 23:30 UTC the day before, 00:30 in Madrid
    (day,) = summary(history, wanted(period="7d"), IDLE_S, NOON, ZoneInfo("Europe/Madrid")).over_time
    assert day.beginning == datetime(2026, 11, 20, 23, tzinfo=UTC)
    (month,) = summary(history, wanted(since="2026-01-01"), IDLE_S, NOON, ZoneInfo("Europe/Madrid")).over_time
    assert month.beginning == datetime(2026, 10, 31, 23, tzinfo=UTC)


def test_story_has_all_events_in_order(history: History) -> None:
    at = {"session_opened_at": NOON}
    insert_events(
        history,
        [
            event_row(type="purchase", session_event=3, occurred_at=NOON + timedelta(seconds=9), transaction_id="T-1", **at),
            event_row(type="view_item", session_event=2, items=[("LAMP-1", "Light", 39.9, 1)], **at),
            event_row(type="page_view", session_event=1, **at),
            event_row(type="page_view", visitor_id="v-2", session_id="s-2"),
        ],
    )
    story = session_story(history, "demo", "s-1", IDLE_S, NOON)
    assert [event.type for event in story.events] == ["page_view", "view_item", "purchase"]
    assert story.session.events == 3
    assert story.events[1].items[0].price == "39.90"
    assert story.events[2].transaction_id == "T-1"
    assert not story.cut


def test_quotes_in_a_filter_stay_text(history: History) -> None:
    insert_events(history, [visit("a", source='it\'s \\ 100% "q"')])
    assert names(history, source='it\'s \\ 100% "q"') == ["a"]
    assert names(history, source="' OR 1 = 1 --") == []
    with pytest.raises(NotFound):
        session_story(history, "demo", "' OR 1 = 1 --", IDLE_S, NOON)


def test_choices_are_what_people_came_from(history: History) -> None:
    insert_events(
        history, [visit("a", source="mail"), visit("b", source="mail", device=""), visit("c", bot="x", source="bad")]
    )
    assert choices(history, "demo") == (["mail"], ["desktop"])
    assert choices(history, "other") == ([], [])


def test_knows_whether_anything_was_observed(history: History) -> None:
    assert not has_sessions(history, "demo")
    insert_events(history, [visit("a")])
    assert has_sessions(history, "demo")


def test_slices_grow_and_reach_the_beginning() -> None:
    since = NOON - timedelta(days=30)
    starts = list(slices(since, NOON))
    assert starts[0] == NOON - timedelta(hours=6)
    assert starts[-1] == since
    assert len(starts) <= 5
    assert list(slices(NOON, NOON - timedelta(days=1))) == [NOON]


@pytest.mark.parametrize(("days", "unit"), [(1, "hour"), (2, "hour"), (7, "day"), (120, "day"), (400, "month")])
def test_unit_fits_the_length(days: int, unit: str) -> None:
    assert unit_of(SessionFilter(site="demo", since=NOON - timedelta(days=days), until=NOON)) == unit


def sessions_of_all_kinds() -> list[Row]:
    """A session for each combination of few and many, in one event of each kind that counts."""
    rows: list[Row] = []
    grid = itertools.product(range(5), range(4), range(3), range(2), range(2))
    for number, (pages, views, adds, orders, pieces) in enumerate(grid):
        kinds = ["page_view"] * pages + ["view_item"] * views + ["add_to_cart"] * adds + ["purchase"] * orders
        at = NOON - timedelta(minutes=number)
        for place, kind in enumerate(kinds):
            last = place == len(kinds) - 1
            name = f"{pages}-{views}-{adds}-{orders}-{pieces}"
            rows.append(
                event_row(
                    type=kind, session_id=name, visitor_id=name, occurred_at=at + timedelta(seconds=place),
                    session_opened_at=at, session_event=place + 1, cart_pieces=pieces if last else 7,
                )
            )  # fmt: skip
    return rows


def test_purposes_in_reports_are_those_of_the_rules(history: History) -> None:
    insert_events(history, sessions_of_all_kinds())
    found = list(all_sessions(history, wanted(limit="1000"), IDLE_S, NOON))
    assert len(found) == 5 * 4 * 3 * 2 * 2 - 2  # of nothing at all there is no session
    expected: Counter[str] = Counter()
    for row in found:
        pages, views, adds, orders, pieces = map(int, row.session_id.split("-"))
        done = seen(page_views=pages, item_views=views, cart_adds=adds, orders=orders, cart_pieces=pieces)
        purpose = purpose_of(done, purposes(done, 0.0))
        assert row.purpose == purpose, row.session_id
        expected[purpose] += 1
    assert set(expected) == set(PURPOSES)
    whole = summary(history, wanted(), IDLE_S, NOON, ZoneInfo("UTC"))
    assert whole.purposes == expected
    for name in PURPOSES:
        assert summary(history, wanted(purpose=name), IDLE_S, NOON, ZoneInfo("UTC")).sessions == expected[name]
        assert len(names(history, purpose=name, limit="1000")) == expected[name]
