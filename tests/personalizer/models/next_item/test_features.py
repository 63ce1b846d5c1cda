"""What trees see of a candidate, by name."""

import numpy as np

from personalizer.models.behaviour import CART, VIEW
from personalizer.models.next_item.base import build_base
from personalizer.models.next_item.compiled import warm
from personalizer.models.next_item.evidence import Knobs
from personalizer.models.next_item.examples import Moments, examples
from personalizer.models.next_item.features import FEATURES
from tests.personalizer.models.next_item.test_index import behaviour

CATEGORY = np.array([7, 7, 8, -1], np.int32)


def features_of(items: list[int], kinds: list[int]) -> dict[int, dict[str, float]]:
    """The features of each candidate after all but the last of the items."""
    warm()
    base = build_base(behaviour(*[[0, 1, 2, 3]] * 4), 4, CATEGORY, seed=1)
    asked = behaviour(items, kinds=kinds)
    found = examples(base, Knobs(), asked, Moments(np.array([0]), np.array([len(items) - 1])), 100, 1.0, seed=1)
    rows = [dict(zip(FEATURES, row.tolist(), strict=True)) for row in found.rows]
    # By the place in the visit, newest first; 100 and more where the visit does not hold it.
    return {int(row["seen_place"]) if row["seen_place"] < 99 else 100 + number: row for number, row in enumerate(rows)}


def test_names_are_unique() -> None:
    assert len(set(FEATURES)) == len(FEATURES)


def test_kinds_and_categories_of_the_visit_are_seen() -> None:
    found = features_of([0, 1, 2], [VIEW, CART, VIEW])
    last, first = found[0], found[1]
    assert (last["seen_kind"], last["kind_of_last"], last["same_category"], last["category_share"]) == (1, 1, 1, 1)
    assert (first["seen_kind"], first["seen_views"], first["same_category"]) == (0, 1, 1)
    others = [features for place, features in found.items() if place >= 100]
    assert sorted((one["same_category"], one["category_share"]) for one in others) == [(-1, -1), (0, 0)]


def test_shares_are_of_all_that_speaks() -> None:
    found = features_of([0, 1], [VIEW, VIEW])
    for features in found.values():
        assert 0 <= features["alike"] <= 1
        assert features["matches"] == 4
        assert features["alike_sessions"] == 4
        assert -1.001 <= features["like_last"] <= 1.001
