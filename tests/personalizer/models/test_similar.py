"""Cosine with shrinkage, against sums made by hand."""

import numpy as np
import pytest

from personalizer.models import similar
from personalizer.models.model import Ragged
from personalizer.models.similar import neighbours, ragged_top


def similarity(triples: list[tuple[int, int, float]], n_items: int, **rules: float) -> Ragged:
    sessions, items, weights = zip(*triples, strict=True)
    return neighbours(
        np.array(sessions, np.uint64), np.array(items, np.int32), np.array(weights, np.float32), n_items,
        shrinkage=rules.get("shrinkage", 0.0), most=int(rules.get("most", 50)), support=rules.get("support", 0.0),
    )  # fmt: skip


def row(ragged: Ragged, number: int) -> dict[int, float]:
    items, scores = ragged.row(number)
    return dict(zip(items.tolist(), [round(score, 4) for score in scores.tolist()], strict=True))


def test_cosine_by_hand() -> None:
    # Item 0 in sessions 1, 2; item 1 in 1, 2, 3, 4; item 2 in 4: cos(0,1) = 2/√(2·4), cos(1,2) = 1/√4.
    found = similarity([(1, 0, 1), (2, 0, 1), (1, 1, 1), (2, 1, 1), (3, 1, 1), (4, 1, 1), (4, 2, 1)], 3)
    assert row(found, 0) == {1: pytest.approx(0.7071, abs=1e-4)}
    assert row(found, 1) == {0: pytest.approx(0.7071, abs=1e-4), 2: 0.5}
    assert row(found, 2) == {1: 0.5}


def test_shrinkage_holds_down_what_rests_on_few_sessions() -> None:
    often = [(session, item, 1.0) for session in range(8) for item in (0, 1)]
    found = similarity([*often, (9, 2, 1.0), (9, 3, 1.0)], 4, shrinkage=2.0)
    assert row(found, 0) == {1: 0.8}  # 8 / (8 + 2)
    assert row(found, 2) == {3: pytest.approx(0.3333, abs=1e-4)}  # 1 / (1 + 2)


def test_one_session_is_chance_even_between_rare_items() -> None:
    often = [(session, item, 1.0) for session in range(8) for item in (0, 1)]
    found = similarity([*often, (9, 2, 1.0), (9, 3, 1.0)], 4, support=1.0)
    assert row(found, 0) == {1: pytest.approx(8 / 9, abs=1e-4)}
    assert row(found, 2) == {3: 0.5}


def test_an_item_is_not_its_own_neighbour() -> None:
    assert row(similarity([(1, 0, 3.0), (2, 0, 1.0)], 1), 0) == {}


def test_keeps_the_best_only() -> None:
    triples = [(session, 0, 1.0) for session in range(5)]
    triples += [(session, item, 1.0) for item in (1, 2, 3) for session in range(item)]
    found = similarity(triples, 4, most=2)
    assert list(row(found, 0)) == [3, 2]


def test_parts_of_one_session_add_up() -> None:
    apart = similarity([(1, 0, 1.0), (1, 0, 1.0), (1, 1, 2.0)], 2, shrinkage=1.0)
    assert row(apart, 0) == row(similarity([(1, 0, 2.0), (1, 1, 2.0)], 2, shrinkage=1.0), 0)


def test_blocks_give_what_one_piece_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(7)
    triples = [(int(rng.integers(40)), int(rng.integers(25)), 1.0) for _ in range(300)]
    whole = similarity(triples, 25, shrinkage=1.0, most=5)
    monkeypatch.setattr(similar, "BLOCK_ITEMS", 4)
    parts = similarity(triples, 25, shrinkage=1.0, most=5)
    assert parts.starts.tolist() == whole.starts.tolist()
    assert parts.items.tolist() == whole.items.tolist()
    assert whole.sound(25, 25)


def test_no_items_make_no_rows() -> None:
    empty = neighbours(np.zeros(0, np.uint64), np.zeros(0, np.int32), np.zeros(0, np.float32), 0, shrinkage=1.0, most=5)
    assert empty.sound(0, 0)


def test_rows_without_pairs_are_empty() -> None:
    found = ragged_top(np.array([2], np.int32), np.array([0], np.int32), np.array([0.5]), 4, 3)
    assert found.starts.tolist() == [0, 0, 0, 1, 1]
