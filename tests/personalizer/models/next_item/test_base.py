"""What is known of each item, computed by hand."""

import numpy as np
import pytest

from personalizer.models.next_item import embedding, index
from personalizer.models.next_item.base import MOST_EVENTS, build_base, trimmed
from personalizer.models.next_item.compiled import warm
from tests.personalizer.models.next_item.test_index import behaviour


@pytest.fixture(autouse=True, scope="module")
def _compiled() -> None:
    warm()


def test_knows_how_much_how_lately_and_how_often_again_an_item_is_looked_at() -> None:
    items = build_base(behaviour([0, 0, 1], [1, 2], [2]), 4, None, seed=1).items
    assert np.expm1(items.clicks).tolist() == pytest.approx([2, 2, 2, 0])
    assert items.idle.tolist() == pytest.approx([2 / 3, 1 / 3, 0, 1])
    assert items.follows_itself.tolist() == [1, 0, 0, 0]
    assert items.trend.tolist() == pytest.approx([0] * 4)  # all of so short a history is recent
    assert items.popular.tolist() == [0, 1, 2, 3]
    assert items.popular_share.tolist() == pytest.approx([1 / 3, 1 / 3, 1 / 3, 0])
    assert items.category.tolist() == [-1] * 4


def test_what_sells_of_late_comes_first() -> None:
    items = build_base(behaviour(*[[0, 1]] * 3000, *[[2, 3]] * 400), 4, np.array([5, 5, 6, -1], np.int32), seed=1).items
    assert items.popular[:2].tolist() == [2, 3]
    assert items.trend[2] > 0 > items.trend[0]
    assert items.category.tolist() == [5, 5, 6, -1]
    assert items.sound(4)


def test_vectors_from_before_are_used_again() -> None:
    before = np.eye(4, 48, dtype=np.float32)
    before[3] = 0
    base = build_base(behaviour([0, 1], [2, 3]), 4, None, 1, before)
    assert np.array_equal(base.items.embedding[:3], before[:3])
    assert base.items.embedding[3].tolist() == before[2].tolist()
    assert base.sound(4)
    assert base.n_items == 4


def test_items_that_are_broken_are_not_sound() -> None:
    base = build_base(behaviour([0, 1], [2, 3]), 4, None, 1)
    for change in (
        {"clicks": base.items.clicks[1:]}, {"idle": base.items.idle * np.nan}, {"popular": base.items.popular + 1},
        {"embedding": base.items.embedding[:2]}, {"popular_share": base.items.popular_share + 2},
    ):  # fmt: skip
        assert not base._replace(items=base.items._replace(**change)).sound(4)


def test_of_a_machines_session_the_last_clicks_are_kept() -> None:
    sessions = behaviour([0, 1], [2] * MOST_EVENTS + [0, 1, 3], [1])
    found = trimmed(sessions)
    assert np.diff(found.starts).tolist() == [2, MOST_EVENTS, 1]
    assert found.items[2:].tolist() == [2] * (MOST_EVENTS - 3) + [0, 1, 3, 1]
    assert trimmed(found) is found
    assert len(trimmed(behaviour())) == 0


@pytest.mark.parametrize("piece", [1, 3, 7])
def test_pieces_make_the_same_base(piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    shop = behaviour(*(rng.integers(0, 20, int(rng.integers(1, 9))).tolist() for _ in range(200)))
    at_once = build_base(shop, 22, None, seed=1)
    for module in (index, embedding):
        monkeypatch.setattr(module, "CHUNK", piece)
    monkeypatch.setattr(index, "PIECE", piece)
    in_pieces = build_base(shop, 22, None, seed=1)
    for part, other in zip(at_once, in_pieces, strict=True):
        assert all(np.array_equal(column, same) for column, same in zip(part, other, strict=True))
    assert len(at_once.related.items) > 100
