"""A profile in the model's numbers."""

import pytest

from personalizer.models.model import UNKNOWN
from personalizer.situation import situate
from tests.personalizer.planted import ITEMS, NOW_MS, planted_model, profile

MODEL = planted_model()


def number(item: str) -> int:
    return ITEMS.index(item)


def test_leaves_out_what_the_model_has_not_met() -> None:
    found = situate(MODEL, profile(viewed=["ghost", "lamp"], cart=["ghost"], bought=["ghost"]), "home", "ghost", NOW_MS)
    assert (found.page_item, found.cart, found.bought) == (UNKNOWN, (), frozenset())
    assert [viewed.item for viewed in found.viewed] == [number("lamp")]


def test_the_newest_view_stands_first_with_its_age() -> None:
    found = situate(MODEL, profile(viewed=["rug", "lamp"]), "home", None, NOW_MS + 30_000)
    assert [(viewed.item, viewed.age_s) for viewed in found.viewed] == [(number("lamp"), 30), (number("rug"), 90)]


def test_a_view_of_the_future_has_no_age() -> None:
    assert situate(MODEL, profile(viewed=["lamp"]), "home", None, NOW_MS - 5_000).viewed[0].age_s == 0


@pytest.mark.parametrize(
    ("placement", "item_id", "expected"),
    [
        ("product-detail", None, "lamp"),
        ("product-detail", "rug", "rug"),
        ("home", "rug", "rug"),
    ],
)
def test_knows_the_item_on_the_page(placement: str, item_id: str | None, expected: str) -> None:
    assert situate(MODEL, profile(viewed=["lamp"]), placement, item_id, NOW_MS).page_item == number(expected)


def test_other_pages_show_no_item() -> None:
    assert situate(MODEL, profile(viewed=["lamp"]), "home", None, NOW_MS).page_item == UNKNOWN


def test_nothing_is_known_without_a_profile() -> None:
    found = situate(MODEL, None, "home", None, NOW_MS)
    assert (found.page_item, found.cart, found.viewed, found.bought) == (UNKNOWN, (), (), frozenset())
