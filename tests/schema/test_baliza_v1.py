"""The live profile as the function library keeps it, on a real live store: sessions, duplicates, cost, any order."""

import itertools
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schema import keys
from tests.support.collecting import START, Shop, event
from tests.support.live_profile import (
    DAY,
    HOUR,
    MINUTE,
    NUMBERS,
    add,
    cart,
    dropped,
    in_carts,
    key_of,
    look,
    profile,
    recorded,
    remove,
    sessions,
    view,
)
from tests.support.profiles import stored_profile
from tracker.collect import Tally

pytestmark = pytest.mark.redis

NOT_OURS = {"cmdstat_config|resetstat", "cmdstat_info"}


# --- how sessions are cut ---


def test_thirty_idle_minutes_are_the_same_session_and_a_millisecond_more_is_not(live: Shop) -> None:
    live.send(view(0), view(30 * MINUTE))
    assert len(sessions(live)) == 1
    live.send(view(60 * MINUTE + 0.001))
    assert [len(events) for events in sessions(live)] == [2, 1]
    assert profile(live).sessions == 2


def test_a_session_lasts_a_day_at_most_however_busy(live: Shop) -> None:
    live.send(*(view(number * 29 * MINUTE) for number in range(50)))
    live.send(view(DAY))
    assert len(sessions(live)) == 1
    live.send(view(DAY + 0.001))
    assert [len(events) for events in sessions(live)] == [51, 1]


def by_hand(log: list[dict[str, Any]]) -> list[list[str]]:
    cut: list[list[tuple[str, datetime]]] = []
    for each in log:
        at = datetime.fromisoformat(each["occurred_at"])
        if not cut or at - cut[-1][-1][1] > timedelta(minutes=30) or at - cut[-1][0][1] > timedelta(days=1):
            cut.append([])
        cut[-1].append((each["event_id"], at))
    return [[event_id for event_id, _ in session] for session in cut]


@pytest.mark.parametrize("seed", range(4))
def test_a_log_gives_the_same_sessions_at_any_speed_and_in_any_order_of_visitors(live: Shop, seed: int) -> None:
    life, speed = random.Random(11), random.Random(seed)
    left: dict[str, list[dict[str, Any]]] = {}
    for visitor in "abc":
        at = 0.0
        for number in range(40):
            at += life.choice([5, 60, 29 * MINUTE, 31 * MINUTE, 3 * HOUR])
            left.setdefault(visitor, []).append(view(at, event_id=f"{visitor}-{number}"))
    live.now = START + timedelta(days=30)
    expected = {visitor: by_hand(log) for visitor, log in left.items()}
    while any(left.values()):
        visitor = speed.choice([name for name, log in left.items() if log])
        size = speed.choice([1, 2, 7, 40])
        batch, left[visitor] = left[visitor][:size], left[visitor][size:]
        live.send_as_server(*speed.sample(batch, len(batch)), visitor=visitor)
    assert {visitor: sessions(live, visitor) for visitor in "abc"} == expected


def test_a_late_event_falls_into_the_live_session_and_may_be_its_landing(live: Shop) -> None:
    live.send(view(10 * MINUTE, page={"url": "http://shop.test/second"}))
    live.send(view(0, page={"url": "http://shop.test/first", "referrer": "http://a.test/"}))
    live.send(event("login", -MINUTE))
    session = profile(live).session
    assert session is not None
    assert (session.events, session.landing_url, session.referrer) == (3, "http://shop.test/first", "http://a.test/")
    assert (session.ended_at - session.started_at) / 1000 == 11 * MINUTE


def test_a_session_lands_where_its_first_page_was(live: Shop) -> None:
    live.send(event("login", 0), view(5, page={"url": "http://shop.test/p"}), view(9, page={"url": "http://shop.test/q"}))
    session = profile(live).session
    assert session is not None
    assert session.landing_url == "http://shop.test/p"


def test_a_late_event_falls_into_the_past_session_it_belongs_to(live: Shop) -> None:
    live.send(view(0), view(60), view(2 * HOUR), view(4 * HOUR))
    live.send(view(2 * HOUR + 60), view(20 * MINUTE), view(45 * MINUTE))  # the last is within 30 min of the one before only
    assert sessions(live) == [["at-0", "at-60", "at-1200", "at-2700"], ["at-7200", "at-7260"], ["at-14400"]]
    assert profile(live).sessions == 3


def test_a_late_event_without_session_makes_its_own_and_gathers_those_near(live: Shop) -> None:
    live.send(view(DAY))
    live.send(view(0))
    live.send(view(10 * MINUTE))
    live.send(view(-10 * MINUTE))
    assert sessions(live) == [["at--600", "at-0", "at-600"], ["at-86400"]]
    assert profile(live).sessions == 2
    session = profile(live).session
    assert session is not None
    assert session.events == 1


def test_a_late_event_does_not_make_a_session_longer_than_a_day(live: Shop) -> None:
    live.send(*(view(number * 29 * MINUTE) for number in range(1, 50)), view(DAY + MINUTE))
    live.send(view(0))
    assert [len(events) for events in sessions(live)] == [1, 50]


def test_a_batch_out_of_order_is_put_in_order(live: Shop) -> None:
    live.send(add(20, "B"), remove(10, "A"), add(0, "A"))
    assert cart(live) == {"B": 1}
    assert [line.item_id for line in profile(live).cart.lines] == ["B"]


def test_log_in_does_not_end_a_session(live: Shop) -> None:
    live.send(look(0), add(5))
    live.send(event("login", 10, customer_id="c-1"), view(20, customer_id="c-1"))
    live.send(view(30))  # logged out
    live.send(event("login", 40, customer_id="c-1"))
    found = profile(live)
    assert len(sessions(live)) == 1
    assert (found.customer_id, [link.customer_id for link in found.links]) == ("c-1", ["c-1"])
    assert (len(found.viewed), cart(live)) == (1, {"A": 1})


# --- the same event twice ---


def test_an_event_counts_once_in_a_batch_and_over_batches(live: Shop) -> None:
    same = add(0)
    assert dropped(live.send(same, same)) == "duplicate"
    assert dropped(live.send(same)) == "duplicate"
    assert dropped(live.send(add(1), same, view(2), same)) == "duplicate"
    assert live.tallies[-1] == Tally(received=4, duplicate=2, taken=2)
    assert cart(live) == {"A": 2}
    assert len(recorded(live)) == 3


def test_the_same_id_of_another_visitor_is_another_event(live: Shop) -> None:
    same = view(0)
    live.send(same)
    assert dropped(live.send(same, visitor="v-2")) == ""


@pytest.mark.parametrize("every", [3, 15, 51, 71.9, 78, 141])
def test_event_ids_are_remembered_while_a_browser_may_repeat_them_and_thrice_that_at_most(live: Shop, every: float) -> None:
    sets = [key_of(kind=kind) for kind in (keys.seen, keys.seen_before)]
    sent: list[tuple[float, dict[str, Any]]] = []
    began = datetime.now(UTC)  # the store's clock ends the sets
    live.now = began
    hours = 0.0
    while hours < 720:
        live.now = began + timedelta(hours=hours)
        sent.append((hours, event(at=live.now)))
        assert dropped(live.send(sent[-1][1])) == ""
        now_ms = int(live.now.timestamp() * 1000)
        for name in sets:  # what the store would have ended by now
            if 0 < live.redis.pexpiretime(name) <= now_ms:
                live.redis.delete(name)
        for at, old in sent[-30:]:
            if hours - at < 72:
                assert dropped(live.send(old)) == "duplicate"
        assert all(live.redis.pexpiretime(name) > now_ms for name in sets if live.redis.exists(name))
        kept = sum(live.redis.scard(name) for name in sets)
        assert kept <= sum(hours - at <= 216 for at, _ in sent)
        hours += every


# --- what it costs ---


def test_a_profile_that_cannot_be_read_does_not_lock_its_visitor_out(live: Shop) -> None:
    broken_ones = (b"", b"junk", b"\x03", b"\x02" + stored_profile()[1:], stored_profile(session_id="s")[:-10])
    for number, broken in enumerate(broken_ones):
        live.redis.set(key_of(), broken)
        assert live.send(view(0, event_id=f"e-{number}")).status == 202
        assert profile(live).sessions == 1


def test_a_visitor_of_ten_events_and_a_cart_of_two_takes_little_memory(live: Shop) -> None:
    page = {"url": "https://shop.example/p/lamp-1?utm_source=news", "referrer": "https://search.example/", "title": "Lamp"}
    live.send(*(view(number, page=page) for number in range(5)))
    live.send(*(look(10 + number, f"LAMP-{number}", page=page) for number in range(3)))
    live.send(add(20, "LAMP-1", page=page), add(21, "LAMP-2", page=page))
    assert live.redis.memory_usage(key_of(), samples=0) <= 1536
    assert not live.redis.exists(key_of(kind=keys.seen))


def test_one_event_costs_four_commands_of_the_store(live: Shop) -> None:
    live.send(view(0))
    live.redis.config_resetstat()
    for number in range(1, 11):
        live.send(view(number))
    stats = live.redis.info("commandstats")
    calls = {name.removeprefix("cmdstat_"): found["calls"] for name, found in stats.items() if name not in NOT_OURS}
    assert calls == {"fcall": 10, "get": 10, "set": 10, "xadd": 10}


# --- whatever comes ---

ITEMS = st.sampled_from("ABC")
STEP = st.tuples(
    st.sampled_from(["page_view", "view_item", "add_to_cart", "add_to_cart", "remove_from_cart", "sync_cart", "purchase"]),
    st.lists(st.tuples(ITEMS, st.integers(0, 4)), min_size=1, max_size=3),
    st.sampled_from([0.001, 1, MINUTE, 31 * MINUTE, 5 * HOUR]),
    st.sampled_from(["", "", "", "anna", "bert"]),
)
GIVEN = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def life(steps: list[Any]) -> list[dict[str, Any]]:
    """The events of one visitor, in order, no two at the same time."""
    at, events = 0.0, []
    for kind, items, pause, customer in steps:
        at += pause
        lines = [(item, "Light", 10, quantity) for item, quantity in items]
        events.append(event(kind, at, items=lines, **({"customer_id": customer} if customer else {})))
    return events


def cart_by_hand(events: list[dict[str, Any]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for each in events:
        if each["type"] in ("sync_cart", "purchase"):
            found = {}
        sign = {"add_to_cart": 1, "sync_cart": 1, "remove_from_cart": -1}.get(each["type"], 0)
        for line in each["items"]:
            if sign and (line["item_id"] in found or (sign > 0 and line["quantity"])):
                found[line["item_id"]] = found.get(line["item_id"], 0) + sign * line["quantity"]
        found = {item: quantity for item, quantity in found.items() if quantity > 0}
    return found


def in_batches(events: list[dict[str, Any]], sizes: list[int]) -> Iterator[list[dict[str, Any]]]:
    rest = list(events)
    for size in itertools.cycle(sizes):
        if not rest:
            return
        yield rest[:size]
        rest = rest[size:]


@GIVEN
@given(steps=st.lists(STEP, min_size=1, max_size=25), sizes=st.lists(st.integers(1, 6), min_size=1), again=st.randoms())
def test_in_order_the_cart_is_that_of_the_model(
    live: Shop, steps: list[Any], sizes: list[int], again: random.Random
) -> None:
    visitor = f"v-{next(NUMBERS)}"
    events = life([(kind, items, pause, "") for kind, items, pause, _ in steps])
    live.now = START + timedelta(days=10)
    for batch in in_batches(events, sizes):
        live.send_as_server(*batch, visitor=visitor)
        if again.random() < 0.5:
            live.send_as_server(*again.sample(batch, len(batch)), visitor=visitor)
    assert cart(live, visitor) == cart_by_hand(events)
    assert (in_carts(live, visitor) is None) == (cart(live, visitor) == {})
    assert sessions(live, visitor) == by_hand(events)


@GIVEN
@given(steps=st.lists(STEP, min_size=1, max_size=25), sizes=st.lists(st.integers(1, 6), min_size=1), chance=st.randoms())
def test_in_any_order_every_event_is_counted_once(
    live: Shop, steps: list[Any], sizes: list[int], chance: random.Random
) -> None:
    visitor = f"v-{next(NUMBERS)}"
    events = life(steps)
    live.now = START + timedelta(days=10)
    live.tallies.clear()
    for batch in in_batches(chance.sample(events + events, len(events) * 2), sizes):
        assert live.send_as_server(*batch, visitor=visitor).status == 202
    mine = [row for row in recorded(live) if row[1] == visitor]
    assert sorted(event_id for _, _, event_id, _ in mine) == sorted(each["event_id"] for each in events)
    assert sum(tally.taken for tally in live.tallies) == len(events)
    found = profile(live, visitor)
    assert found.session is not None
    assert found.session.events == sum(1 for row in mine if row[3] == found.session.session_id)
    assert found.session.started_at <= found.session.ended_at
    assert [item.last_viewed_at for item in found.viewed] == sorted(item.last_viewed_at for item in found.viewed)
    assert (in_carts(live, visitor) is None) == (found.cart.lines == [])
