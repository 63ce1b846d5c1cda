"""One long id does not widen all."""

import numpy as np
import pytest

from personalizer.catalogue.item import CatalogueItem, encode_item
from personalizer.catalogue.store import CatalogueCopy, CatalogueState
from personalizer.learning.history import Items
from personalizer.learning.ids import longest_id, shortened
from personalizer.models.model import ItemFacts

LONG = "é" * 100


def items(*named: tuple[str, float]) -> Items:
    facts = [ItemFacts(name, name, "", None, "", "", "") for name, _ in named]
    return Items(facts, np.array([[0, 0, done] for _, done in named], np.float64).reshape(-1, 3))


def copy(*item_ids: str) -> CatalogueCopy:
    row = encode_item(CatalogueItem(name="Lamp"))
    state = CatalogueState(b"epoch", 7, True, 0)
    return CatalogueCopy(state, dict.fromkeys(item_ids, row), np.array([[5, 1]], np.int64))


def test_the_few_ids_far_longer_than_the_rest_are_left_out() -> None:
    found, sold, left_out = shortened(
        items(("lamp", 190.0), ("rug-" + 60 * "x", 1.0), (LONG, 4.0)), copy("lamp", LONG, "bulb")
    )
    assert ([entry.item_id[:4] for entry in found.facts], found.counts[:, 2].tolist()) == (["lamp", "rug-"], [190, 1])
    assert sold is not None
    assert (list(sold.rows), left_out) == (["lamp", "bulb"], 1)


def test_a_shop_whose_ids_are_long_keeps_them() -> None:
    named = items((LONG, 40.0), ("lamp", 60.0))
    assert shortened(named, None) == (named, None, 0)
    assert shortened(items(), copy(LONG, "lamp"))[2] == 0


@pytest.mark.parametrize(("lengths", "weights", "longest"), [
    ([], [], 64), ([4], [0.0], 64), ([4, 400], [96, 4], 64), ([4, 400], [94, 6], 800), ([50, 400], [96, 4], 100),
])  # fmt: skip
def test_the_bound_is_twice_what_most_have(lengths: list[int], weights: list[float], longest: int) -> None:
    assert longest_id(np.array(lengths, np.int64), np.array(weights, np.float64)) == longest
