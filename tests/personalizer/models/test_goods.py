import numpy as np

from personalizer.catalogue.item import goods_of
from personalizer.models.goods import AVAILABILITIES, KINDS, Goods
from personalizer.models.model import ItemFacts

FACTS = [
    ItemFacts("a", "A", "", 1_000_000, "EUR", "", "", variant_of="g", placements=("cart",), listed=True),
    ItemFacts("b", "B", "", None, "", "", ""),
]


def test_survives_its_own_arrays() -> None:
    goods = goods_of(FACTS, complete=True, epoch=b"e", copied=np.array([[5, 1]], np.int64))
    prefixed = {f"goods.{name}": array for name, array in goods.arrays().items()}
    back = Goods.of_arrays(prefixed | {"item_ids": np.zeros(0)}, "goods.")
    assert back is not None
    for name, array in goods.arrays().items():
        np.testing.assert_array_equal(back.arrays()[name], array)
    assert back.sound(2)


def test_is_none_where_there_are_no_arrays_of_it() -> None:
    assert Goods.of_arrays({"item_ids": np.zeros(0)}, "goods.") is None


def test_is_not_sound_when_a_part_leads_outside() -> None:
    good = goods_of(FACTS).arrays()
    assert not Goods(**good).sound(3)  # type: ignore[arg-type]
    bad = {
        "variant_of": np.array([1, -1], np.int32), "availability": np.array([len(AVAILABILITIES), 0], np.uint8),
        "kind": np.array([0, len(KINDS)], np.uint8), "placed": np.array([2], np.int32), "copied": np.zeros((1, 3), np.int64),
    }  # fmt: skip
    for name, array in bad.items():
        assert not Goods(**(good | {name: array})).sound(2), name  # type: ignore[arg-type]
