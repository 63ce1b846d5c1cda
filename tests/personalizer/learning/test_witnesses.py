"""Sessions that no model is taught."""

from dataclasses import dataclass

import numpy as np

from personalizer.learning.days import Clicks
from personalizer.learning.witnesses import LAST_MS, MOST_SESSIONS, ONE_IN, behaviour_of, set_apart, tried
from personalizer.models.behaviour import Behaviour
from personalizer.models.next_item import Ranked, Visit

NOW_MS = 1_800_000_000_000
SHOP = np.array([b"bulb", b"lamp", b"rug"])


def clicks(*rows: tuple[int, int, int]) -> Clicks:
    """(session, item, ms before now), by session and time."""
    sessions, items, ages = zip(*rows, strict=True)
    times = NOW_MS - np.array(ages, np.int64)
    return Clicks(SHOP, np.array(sessions, np.uint64), np.array(items, np.int32), np.zeros(len(rows), np.uint8), times)


@dataclass
class Always:
    """Says the same whatever was seen."""

    items: list[int]

    def rank(self, visit: Visit, most: int, now_s: int) -> Ranked:
        items = np.array(self.items[:most], np.int32)
        return Ranked(
            items, np.full(len(items), 0.5, np.float32), np.full(len(items), -1, np.int32), np.zeros(len(items), np.uint8)
        )


def test_sets_one_session_in_ten_of_the_last_day_apart_whole() -> None:
    ended_late = [(20, 0, LAST_MS + 5), (20, 1, LAST_MS - 5)]
    taught, witnesses = set_apart(clicks(*ended_late, (21, 0, 10), (30, 2, LAST_MS + 1), (40, 2, 1)), NOW_MS)
    assert witnesses.sessions.tolist() == [20, 20, 40]
    assert taught.sessions.tolist() == [21, 30]


def test_the_same_ones_are_apart_however_the_day_goes_on() -> None:
    rng = np.random.default_rng(3)
    sessions = np.sort(rng.integers(0, 2**63, 500).astype(np.uint64))
    day = clicks(*((int(session), 0, 1000) for session in sessions))
    _, first = set_apart(day, NOW_MS)
    _, later = set_apart(day, NOW_MS + LAST_MS - 2000)
    assert first.sessions.tolist() == later.sessions.tolist()
    assert 20 < len(first) < 500 / ONE_IN * 2
    taught, none = set_apart(day, NOW_MS + LAST_MS)
    assert (len(taught), len(none)) == (500, 0)


def test_of_nothing_nothing_is_apart() -> None:
    taught, witnesses = set_apart(Clicks.none(), NOW_MS)
    assert (len(taught), len(witnesses)) == (0, 0)


def test_behaviour_is_that_of_the_rows_in_whatever_order_sessions_ended() -> None:
    rng = np.random.default_rng(5)
    sessions, ages = (
        np.sort(rng.integers(0, 2**63, 40).astype(np.uint64)[rng.integers(0, 40, 300)]),
        rng.integers(0, 90_000, 300),
    )
    order = np.lexsort((-ages, sessions))
    made = clicks(*((int(sessions[row]), int(rng.integers(0, 3)), int(ages[row])) for row in order))
    expected = Behaviour.of_rows(made.sessions, made.items, made.kinds, made.times_ms // 1000)
    found = behaviour_of(made)
    assert all(np.array_equal(column, getattr(expected, name)) for name, column in vars(found).items())
    assert (np.diff(found.ended) >= 0).all()
    assert len(behaviour_of(Clicks.none())) == 0


def test_behaviour_keeps_the_order_within_a_second() -> None:
    found = behaviour_of(clicks((7, 2, 900), (7, 0, 890), (7, 1, 880)))
    assert found.items.tolist() == [2, 0, 1]


def test_asks_for_every_next_view_in_the_models_own_numbers() -> None:
    witnesses = clicks((10, 0, 30), (10, 1, 20), (10, 2, 10))  # bulb, then lamp, then rug
    mine = np.array([b"apple", b"lamp", b"rug"])
    trial = tried(Always([0, 2]), mine, witnesses)  # apple, rug
    assert trial.reciprocal_ranks.tolist() == [0.0, 0.5]
    assert trial.sessions.tolist() == [0, 0]


def test_an_item_that_the_model_has_not_met_is_a_miss() -> None:
    trial = tried(Always([0]), np.array([b"bulb"]), clicks((10, 0, 30), (10, 1, 20), (10, 0, 10)))
    assert trial.reciprocal_ranks.tolist() == [0.0, 1.0]


def test_two_models_are_asked_the_same() -> None:
    witnesses = clicks(*((session, item, 50 - item) for session in range(50) for item in range(3)))
    one, other = tried(Always([0]), SHOP, witnesses), tried(Always([0]), SHOP[2:], witnesses)
    assert one.sessions.tolist() == other.sessions.tolist()


def test_asks_no_more_sessions_than_prove_anything() -> None:
    many = clicks(*((session, item, 5 - item) for session in range(MOST_SESSIONS + 50) for item in range(2)))
    assert len(tried(Always([1]), SHOP, many)) == MOST_SESSIONS
