"""The ranker as a whole: what it finds, and what it does when there is little to go by."""

import threading
from pathlib import Path

import numpy as np
import pytest

from personalizer.models.behaviour import Behaviour
from personalizer.models.next_item import NextItem, Ranked, Visit
from personalizer.models.next_item.base import build_base
from personalizer.models.next_item.visit import POPULAR, SEEN
from tests.personalizer.models.next_item.test_index import behaviour

PAIRS = [(0, 1), (2, 3), (4, 5), (6, 7)]


def shop(sessions: int = 1000, seed: int = 5) -> Behaviour:
    """Sessions that look at both items of a pair, often with one of twelve others in between."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(sessions):
        pair = list(PAIRS[rng.integers(len(PAIRS))])
        other = [int(rng.integers(8, 20))]
        made.append(pair if rng.random() < 0.5 else [pair[0], *other, pair[1]] if rng.random() < 0.5 else other + pair)
    return behaviour(*made)


@pytest.fixture(scope="module")
def model() -> NextItem:
    return NextItem.fit(shop(), 20, seed=1)


def same(one: Ranked, other: Ranked) -> bool:
    return all(
        np.array_equal(getattr(one, name), getattr(other, name)) for name in ("items", "probability", "because", "source")
    )


def test_finds_the_planted_affinities(model: NextItem) -> None:
    for first, second in PAIRS:
        ranked = model.rank(Visit.of([first]), 5)
        others = [int(item) for item in ranked.items if item != first]
        assert others[0] == second
        assert ranked.because[ranked.items == second].tolist() == [first]


def test_items_come_once_best_first_and_as_many_as_asked(model: NextItem) -> None:
    ranked = model.rank(Visit.of([0, 8]), 15)
    assert len(ranked) == len(set(ranked.items.tolist())) == 15
    assert (np.diff(ranked.probability) <= 0).all()
    assert ((ranked.probability >= 0) & (ranked.probability <= 1)).all()
    whole = model.rank(Visit.of([0, 8]), 1000)
    assert len(whole) == 20
    assert whole.source[whole.items == 0].tolist() == [SEEN]


def test_nothing_to_go_by_gets_best_sellers(model: NextItem) -> None:
    for visit in (Visit.of([]), Visit.of([-1]), Visit.of([10**6])):
        ranked = model.rank(visit, 8)
        assert set(ranked.items.tolist()) == set(range(8))
        assert (ranked.source == POPULAR).all()
        assert (ranked.because == -1).all()


def test_an_item_that_is_unknown_does_not_disturb(model: NextItem) -> None:
    assert same(model.rank(Visit.of([-1, 2]), 9), model.rank(Visit.of([2]), 9))


def test_the_same_input_and_seed_give_the_same_model(model: NextItem) -> None:
    again = NextItem.fit(shop(), 20, seed=1)
    for name, array in model.arrays().items():
        assert np.array_equal(array, again.arrays()[name]), name


def test_ties_are_broken_by_number() -> None:
    model = NextItem.fit(behaviour([0, 3], [0, 1], [0, 2], [1, 4], [2, 5], [3, 6]), 7)
    ranked = model.rank(Visit.of([4, 5, 6]), 7)
    assert same(ranked, model.rank(Visit.of([4, 5, 6]), 7))
    assert sorted(ranked.items.tolist()) == list(range(7))


def test_a_shop_of_one_item_has_one_answer() -> None:
    model = NextItem.fit(behaviour([0], [0, 0]), 1)
    assert model.rank(Visit.of([0]), 20).items.tolist() == [0]
    assert model.rank(Visit.of([]), 20).items.tolist() == [0]


def test_a_shop_without_sessions_still_answers() -> None:
    model = NextItem.fit(behaviour(), 3)
    assert model.sound(3)
    assert model.rank(Visit.of([2]), 20).items.tolist() == [2, 0, 1]


def test_arrays_make_the_same_model_again(model: NextItem, tmp_path: Path) -> None:
    for name, array in model.arrays().items():
        np.save(tmp_path / f"{name}.npy", array)
    mapped = {name: np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in model.arrays()}
    again = NextItem.of_arrays(mapped)
    assert again.sound(20)
    for visit in (Visit.of([0, 8, 0]), Visit.of([])):
        assert same(again.rank(visit, 20), model.rank(visit, 20))


def test_arrays_that_lack_something_are_refused(model: NextItem) -> None:
    for name in model.arrays():
        arrays = model.arrays()
        del arrays[name]
        with pytest.raises(KeyError):
            NextItem.of_arrays(arrays)


def test_broken_arrays_are_not_sound(model: NextItem) -> None:
    assert model.sound(20)
    assert not model.sound(21)
    assert not model.sound(19)
    for name, array in model.arrays().items():
        if name in ("sessions.items", "related.items", "sessions.holders", "items.popular", "trees.left"):
            broken = array.copy()
            broken[0] = 10**6
            assert not NextItem.of_arrays({**model.arrays(), name: broken}).sound(20), name
        elif name.endswith("starts"):
            assert not NextItem.of_arrays({**model.arrays(), name: array[::-1]}).sound(20), name


def test_a_later_training_keeps_what_was_learned_and_indexes_what_is_new(model: NextItem) -> None:
    place_of = np.arange(1, 21, dtype=np.int32)  # a new item has come in before all others
    place_of[19] = -1  # and one has gone
    later = shop(seed=6)
    kept = later.items < 19
    later = Behaviour.of_rows(
        np.repeat(np.arange(len(later)), np.diff(later.starts))[kept],
        later.items[kept] + 1,
        later.kinds[kept],
        later.times[kept],
    )
    previous = model.renumbered(place_of, 20)
    again = NextItem.fit(later, 20, seed=1, previous=previous)
    assert again.sound(20)
    assert again.learned is model.learned
    fresh = build_base(later, 20, None, 1)
    for one, other in ((again.base.sessions, fresh.sessions), (again.base.related, fresh.related)):
        assert all(np.array_equal(array, expected) for array, expected in zip(one, other, strict=True))
    assert np.array_equal(again.base.items.embedding[1:20], model.base.items.embedding[:19])
    assert again.rank(Visit.of([1]), 3).items[0] == 2


def test_threads_do_not_disturb_each_other(model: NextItem) -> None:
    visits = [Visit.of([first, other]) for first, _ in PAIRS for other in range(8, 20)]
    expected = [model.rank(visit, 10) for visit in visits]
    wrong: list[int] = []

    def ask() -> None:
        for _ in range(20):
            wrong.extend(n for n, visit in enumerate(visits) if not same(model.rank(visit, 10), expected[n]))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
