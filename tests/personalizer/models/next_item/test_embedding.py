"""Items that occur together stand together."""

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from personalizer.models.next_item.compiled import warm
from personalizer.models.next_item.embedding import embed, placed
from personalizer.models.next_item.index import Related, build_related, build_sessions
from tests.personalizer.models.next_item.test_index import behaviour


@pytest.fixture(scope="module")
def two_groups() -> tuple[Related, np.ndarray]:
    """Items 0 to 4 occur with each other, so do 5 to 9; 10 occurs with 5 and 6 once, 11 with nothing."""
    warm()
    rng = np.random.default_rng(2)
    made = [rng.choice(5, 3, replace=False) + 5 * int(rng.integers(2)) for _ in range(200)]
    sessions = behaviour(*[one.tolist() for one in made], [5, 10, 6], [11])
    index = build_sessions(sessions, 12, 50, 500)
    return build_related(sessions, index, 12, 10), np.bincount(index.items, minlength=12).astype(np.float32)


def test_vectors_of_a_group_point_the_same_way(two_groups: tuple[Related, np.ndarray]) -> None:
    vectors = embed(*two_groups, 4, seed=1)
    assert np.linalg.norm(vectors, axis=1)[:11] == pytest.approx(1, abs=1e-4)
    likeness = vectors @ vectors.T
    assert likeness[0, 1:5].min() > 0.5
    assert np.abs(likeness[0, 5:10]).max() < 0.2


def test_an_item_that_occurs_with_nothing_has_no_direction(two_groups: tuple[Related, np.ndarray]) -> None:
    assert not embed(*two_groups, 4, seed=1)[11].any()


def test_the_same_seed_gives_the_same_vectors(two_groups: tuple[Related, np.ndarray]) -> None:
    assert np.array_equal(embed(*two_groups, 4, seed=1), embed(*two_groups, 4, seed=1))


def test_more_dimensions_than_items_are_zero(two_groups: tuple[Related, np.ndarray]) -> None:
    assert embed(*two_groups, 20, seed=1).shape == (12, 20)
    empty = Related(np.zeros(4, np.int64), *(np.zeros(0, kind) for kind in ("i4", "f4", "f4", "f4", "f4")))
    assert not embed(empty, np.zeros(3, np.float32), 5, seed=1).any()


def test_a_new_item_stands_where_those_stand_that_it_occurs_with(two_groups: tuple[Related, np.ndarray]) -> None:
    vectors = embed(*two_groups, 4, seed=1)
    before = vectors.copy()
    before[10] = 0
    found = placed(before, two_groups[0])
    assert np.array_equal(found[:10], vectors[:10])
    assert found[10] @ vectors[5] > 0.5
    assert not found[11].any()


def test_any_number_of_threads_gives_the_same_vectors() -> None:
    rng = np.random.default_rng(3)
    seen = behaviour(*rng.integers(0, 3_000, (3_000, 4)).tolist())
    index = build_sessions(seen, 3_000, 50, 500)
    related, held = build_related(seen, index, 3_000, 50), np.ones(3_000, np.float32)
    with threadpool_limits(1):
        expected = embed(related, held, 32, seed=1)
    assert np.array_equal(embed(related, held, 32, seed=1), expected)
