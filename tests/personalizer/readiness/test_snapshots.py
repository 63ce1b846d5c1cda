"""Moments of past sessions, and that nothing of what comes later is in them."""

import random

import numpy as np
import pytest

from baliza.readiness.features import Features
from personalizer.readiness.replay import PROFILE_LIVES_MS, Past
from personalizer.readiness.snapshots import Moments, Snapshots
from tests.personalizer.readiness.shoppers import DAY_MS, IDLE_MS, MINUTE_MS, moments, past, visit

EVENTS, IDLE = Features._fields.index("events"), Features._fields.index("idle_s")
T = 10 * DAY_MS


def found(*events: Past, since_ms: int = 0, until_ms: int = 90 * DAY_MS) -> Moments:
    snapshots = Snapshots(IDLE_MS, since_ms)
    snapshots.take(events)
    return snapshots.finish(until_ms)


def session(kinds: str, name: str = "s-1", begin_ms: int = T) -> list[Past]:
    kind = {"p": "page_view", "v": "view_item", "c": "add_to_cart", "b": "purchase"}
    return [past("v-1", name, begin_ms + n * MINUTE_MS, kind[each]) for n, each in enumerate(kinds)]


def test_an_order_counts_for_the_moments_before_it_only() -> None:
    for kinds, order_at in (("pvcb", 4), ("pvbpp", 3), ("bp", 1), ("pvp", 0)):
        seen = found(*session(kinds))
        assert [bool(bought) for bought in seen.bought] == [row[EVENTS] < order_at for row in seen.features], kinds


def test_a_session_weighs_one_however_long_it_is() -> None:
    for length in (1, 2, 5, 60, 300):
        seen = found(*session("p" * length))
        assert seen.weights.sum() == pytest.approx(1)
        assert len(seen) <= 4
        assert (seen.features[:, EVENTS] <= 100).all()


def test_what_comes_later_changes_nothing_before_it() -> None:
    chance = random.Random(5)
    for number in range(30):
        events = list(visit("v", f"s-{number}", T, chance))
        # Whatever follows, the moment after an event stands as if nothing did.
        for length in range(1, len(events)):
            whole, cut = Snapshots(IDLE_MS, 0), Snapshots(IDLE_MS, 0)
            whole.take(events)
            cut.take(events[:length])
            (_, then), (_, now) = whole._visitors["v"], cut._visitors["v"]
            assert then is not None
            assert now is not None
            assert then.moments[: len(now.moments)] == now.moments


def test_pauses_are_no_longer_than_they_were() -> None:
    seen = moments(2000)
    pauses = seen.features[:, IDLE] > 0
    assert 0.1 < seen.weights[pauses].sum() / seen.weights.sum() < 0.3
    assert seen.features[:, IDLE].max() < IDLE_MS / 1000
    # Within a session the next event was later: all but the last event's pauses end before one.
    short = found(*session("pppppp"))
    for row in short.features:
        assert row[IDLE] < 60 or row[EVENTS] == 6


def test_a_session_that_may_go_on_is_left_out() -> None:
    assert len(found(*session("pv"), until_ms=T + MINUTE_MS + IDLE_MS)) == 0
    assert len(found(*session("pv"), until_ms=T + MINUTE_MS + IDLE_MS + 1)) > 0


def test_sessions_before_the_period_are_known_and_not_learned_from() -> None:
    seen = found(*session("pb", "old"), *session("p", "new", T + DAY_MS), since_ms=T + 1)
    assert len(seen) > 0
    assert set(seen.features[:, Features._fields.index("past_orders")]) == {1.0}
    assert set(seen.features[:, Features._fields.index("sessions")]) == {2.0}


def test_a_profile_is_forgotten_as_the_live_store_forgets_it() -> None:
    seen = found(*session("pb", "old"), *session("p", "new", T + PROFILE_LIVES_MS + DAY_MS))
    late = seen.began_s > (T + DAY_MS) / 1000
    assert set(seen.features[late, Features._fields.index("sessions")]) == {1.0}


def test_the_same_history_gives_the_same_moments() -> None:
    one, other = moments(300), moments(300)
    assert np.array_equal(one.features, other.features)
    assert np.array_equal(one.weights, other.weights)


def test_slices_make_no_difference() -> None:
    events = [
        event
        for number in range(200)
        for event in visit(f"v-{number}", f"s-{number}", number * 7_000_000, random.Random(number))
    ]
    events.sort(key=lambda event: (event.at_ms // DAY_MS, event.visitor_id, event.at_ms))
    whole, sliced = Snapshots(IDLE_MS, 0), Snapshots(IDLE_MS, 0)
    whole.take(events)
    for day in range(30):
        sliced.take(event for event in events if event.at_ms // DAY_MS == day)
        sliced.forget((day + 1) * DAY_MS)
    one, other = whole.finish(90 * DAY_MS), sliced.finish(90 * DAY_MS)
    assert len(one) > 300
    assert sorted(map(tuple, one.features.tolist())) == sorted(map(tuple, other.features.tolist()))


def test_nothing_is_nothing() -> None:
    assert len(Moments.none()) == 0
    assert Moments.none().buyers() == 0
