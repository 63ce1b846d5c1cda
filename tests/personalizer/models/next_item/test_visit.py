"""What the ranker is asked with."""

import numpy as np

from personalizer.models.behaviour import CART, VIEW
from personalizer.models.next_item import Visit


def test_each_view_of_a_log_counts_once_and_a_cart_line_is_no_view() -> None:
    visit = Visit.of([3, 4, 4], [VIEW, VIEW, CART])
    assert len(visit) == 3
    assert (visit.items.dtype, visit.kinds.dtype, visit.counts.dtype) == (np.int32, np.uint8, np.int32)
    assert visit.counts.tolist() == [1, 1, 0]


def test_counts_of_a_profile_are_taken_as_they_are() -> None:
    assert Visit.of([3, 4], counts=[5, 1]).counts.tolist() == [5, 1]
    assert Visit.of([]).items.shape == (0,)
