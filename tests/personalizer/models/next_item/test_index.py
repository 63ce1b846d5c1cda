"""The index of sessions and what is near what, computed by hand."""

import numpy as np
import pytest

from personalizer.models.behaviour import Behaviour
from personalizer.models.next_item.compiled import warm
from personalizer.models.next_item.index import build_related, build_sessions


def behaviour(*sessions: list[int], kinds: list[int] | None = None) -> Behaviour:
    """Sessions of items, one after the other."""
    items = [item for session in sessions for item in session]
    numbers = np.repeat(np.arange(len(sessions)), [len(session) for session in sessions])
    return Behaviour.of_rows(
        numbers, np.array(items, np.int32), None if kinds is None else np.array(kinds), np.arange(len(items))
    )


@pytest.fixture(autouse=True, scope="module")
def _compiled() -> None:
    warm()


def test_a_session_is_its_distinct_items_by_last_click() -> None:
    index = build_sessions(behaviour([0, 1, 0, 2], [2]), 4, longest=50, most_holders=10)
    assert index.items.tolist() == [1, 0, 2, 2]
    assert index.starts.tolist() == [0, 3, 4]
    assert index.holder_starts.tolist() == [0, 1, 2, 4, 4]
    assert index.holders.tolist() == [0, 0, 1, 0]
    assert index.sound(4)


def test_only_the_newest_holders_and_the_last_items_are_kept() -> None:
    index = build_sessions(behaviour([0, 1, 2], [0, 3], [0]), 4, longest=2, most_holders=1)
    assert index.items.tolist() == [1, 2, 0, 3, 0]
    assert index.holders.tolist() == [2, 0, 0, 1]


def test_the_strongest_kind_of_an_item_counts() -> None:
    index = build_sessions(behaviour([0, 1, 0, 1], kinds=[0, 2, 1, 0]), 2, longest=50, most_holders=10)
    assert (index.items.tolist(), index.kinds.tolist()) == ([0, 1], [1, 2])


def test_steps_count_by_distance_and_sessions_by_cosine() -> None:
    sessions = behaviour([0, 1, 2], [0, 1], [1, 1])
    related = build_related(sessions, build_sessions(sessions, 3, 50, 10), 3, 10)
    row = {
        int(item): (float(ahead), float(back), round(float(cosine), 4))
        for item, ahead, back, cosine, _ in zip(*(part[: related.starts[1]] for part in related[1:]), strict=True)
    }
    # Item 0 is held by two sessions; 1 follows at once in both, 2 in one of them, two steps later.
    assert row == {
        1: (1.0, 0.0, round(2 / np.sqrt(2 * 3), 4)),
        2: (0.25, 0.0, round(1 / np.sqrt(2 * 1), 4)),
        0: (0.0, 0.0, 1.0),
    }
    assert related.items[: related.starts[1]].tolist() == [1, 0, 2]
    begin, end = related.starts[1:3]
    itself = begin + related.items[begin:end].tolist().index(1)
    assert related.forward[itself] == pytest.approx(1 / 3)  # followed itself in one of its three sessions
    assert related.sound(3)


def test_what_comes_right_after_counts_as_a_share_of_all_steps() -> None:
    sessions = behaviour([0, 1, 2], [0, 0, 1, 0, 2], [1, 0])
    related = build_related(sessions, build_sessions(sessions, 3, 50, 10), 3, 10)
    end = related.starts[1]
    row = dict(zip(related.items[:end].tolist(), related.adjacent[:end].tolist(), strict=True))
    # Four steps lead away from 0: two to 1, one to 0 itself, one to 2; three more are taken to have led elsewhere.
    assert row == {1: pytest.approx(2 / 7), 0: pytest.approx(1 / 7), 2: pytest.approx(1 / 7)}
    begin, end = related.starts[1:3]
    back = dict(zip(related.items[begin:end].tolist(), related.adjacent[begin:end].tolist(), strict=True))
    assert back == {0: pytest.approx(2 / 6), 2: pytest.approx(1 / 6), 1: 0}


def test_rows_are_cut_to_the_strongest() -> None:
    sessions = behaviour([0, 1, 2, 3])
    related = build_related(sessions, build_sessions(sessions, 4, 50, 10), 4, 2)
    assert np.diff(related.starts).tolist() == [2, 2, 2, 2]
    assert related.items[:2].tolist() == [1, 2]


def test_what_a_long_session_held_only_at_its_beginning_is_near_others_all_the_same() -> None:
    sessions = behaviour([0, 1, 2, 3], [1, 0])
    related = build_related(sessions, build_sessions(sessions, 4, 2, 10), 4, 10)
    assert related.sound(4)
    assert related.cosine.max() <= 1


def test_broken_arrays_are_not_sound() -> None:
    sessions = behaviour([0, 1, 2])
    index = build_sessions(sessions, 3, 50, 10)
    related = build_related(sessions, index, 3, 10)
    assert not index.sound(4)
    assert not index.sound(2)
    assert not index._replace(starts=np.array([0, 4])).sound(3)
    assert not index._replace(holders=index.holders + 1).sound(3)
    assert not index._replace(kinds=index.kinds[1:]).sound(3)
    assert not related.sound(2)
    assert not related._replace(starts=related.starts[::-1]).sound(3)
    assert not related._replace(cosine=related.cosine[1:]).sound(3)
    assert not related._replace(adjacent=related.adjacent * np.nan).sound(3)
