"""Best sellers: purchases first, then cart adds, then views."""

import numpy as np

from personalizer.models.popular import best_sellers


def ranked(counts: list[tuple[float, float, float]], rows: list[int] | None = None, most: int = 10) -> list[list[int]]:
    places = np.array(rows if rows is not None else [0] * len(counts), np.int32)
    found = best_sellers(places, np.array(counts, np.float64), n_rows=2, most=most)
    return [found.row(0)[0].tolist(), found.row(1)[0].tolist()]


def test_a_purchase_beats_any_number_of_carts_and_views() -> None:
    assert ranked([(0, 50, 900), (0.5, 0, 0), (0, 0, 1000), (0.5, 1, 0)])[0] == [3, 1, 0, 2]


def test_equal_items_keep_their_order() -> None:
    assert ranked([(1, 0, 0), (1, 0, 0)])[0] == [0, 1]


def test_each_row_has_its_own_and_items_without_a_row_are_left_out() -> None:
    assert ranked([(1, 0, 0), (2, 0, 0), (3, 0, 0), (4, 0, 0)], rows=[0, 1, -1, 1]) == [[0], [3, 1]]


def test_keeps_the_best_only() -> None:
    assert ranked([(1, 0, 0), (2, 0, 0), (3, 0, 0)], most=2)[0] == [2, 1]


def test_scores_fall_from_one() -> None:
    found = best_sellers(np.zeros(4, np.int32), np.array([[4.0, 0, 0], [3, 0, 0], [2, 0, 0], [1, 0, 0]]), 1, 10)
    assert found.scores.tolist() == [1.0, 0.75, 0.5, 0.25]
