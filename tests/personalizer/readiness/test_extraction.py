"""Moments from a real history."""

import numpy as np
import pytest

from baliza.stores import History
from personalizer.readiness.extraction import MOST_SESSIONS, Visits, read_moments, read_visits
from personalizer.readiness.snapshots import Snapshots
from tests.personalizer.readiness.shoppers import DAY_MS, IDLE_MS, keep, past, visits

BEGIN = 20_000 * DAY_MS
END = BEGIN + 20 * DAY_MS

pytestmark = pytest.mark.clickhouse


def test_the_history_gives_the_moments_that_its_events_give(history: History) -> None:
    events = list(visits(200, since_ms=BEGIN))
    keep(history, events)
    done: list[float] = []
    found = read_moments(history, "demo", Visits(BEGIN, END, 200, 20), IDLE_MS, done.append)
    expected = Snapshots(IDLE_MS, BEGIN)
    expected.take(events)
    same = expected.finish(END)
    assert sorted(map(tuple, found.features.tolist())) == sorted(map(tuple, same.features.tolist()))
    assert found.buyers() == same.buyers() > 10
    assert done == sorted(done)
    assert 0 < done[-1] < 1


def test_counts_sessions_and_those_that_bought(history: History) -> None:
    keep(history, [past("v-1", "s-1", BEGIN, "page_view"), past("v-1", "s-1", BEGIN + 1, "purchase")])
    keep(history, [past("v-2", "s-2", BEGIN + DAY_MS, "page_view")])
    keep(history, [past("v-3", "s-3", BEGIN, "page_view")], bot="crawler")
    keep(history, [past("v-4", "s-4", BEGIN, "page_view")], site="other")
    keep(history, [past("v-5", "s-5", END, "page_view")])
    assert read_visits(history, "demo", BEGIN, END) == Visits(BEGIN, END, 2, 1)


def test_of_very_many_a_share_of_the_visitors_is_read_with_all_their_visits(history: History) -> None:
    keep(history, [past(f"v-{n % 300}", f"s-{n}", BEGIN + n * IDLE_MS * 2, "page_view") for n in range(900)])
    crowd = Visits(BEGIN, BEGIN + 60 * DAY_MS, MOST_SESSIONS * 4, 1000)
    assert crowd.share == 0.25
    found = read_moments(history, "demo", crowd, IDLE_MS)
    visitors = len(np.unique(found.visitors))
    assert 40 < visitors < 110
    assert len(np.unique(found.sessions)) == 3 * visitors
    assert Visits(0, 1, 0, 0).share == Visits(0, 1, 10, 0).share == 1


def test_slices_hold_a_bounded_number_of_sessions() -> None:
    months = 90 * DAY_MS
    found = [Visits(0, months, sessions, 0).slice_ms // DAY_MS for sessions in (0, 900, 90_000, 10_000_000)]
    assert found == [30, 30, 7, 7]  # of very many the share is read
    assert Visits(0, DAY_MS, 50_000, 0).slice_ms == DAY_MS
