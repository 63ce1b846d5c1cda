"""What is not a product."""

from personalizer.offers.candidates.pieces import pieces
from personalizer.offers.situation import Reason, Situation
from tests.personalizer.shops import item, planted_shop, shop, told

KNOWN = shop([item("guide", "light", kind="editorial"), item("lamp", "light"), item("sale", "", kind="promotion")])
LIGHT = KNOWN.model.categories.tolist().index(b"light")


def test_comes_by_its_kind_and_strongest_where_it_belongs() -> None:
    found = told(pieces(KNOWN, Situation("category", interests=(LIGHT,))))
    assert [(entry.item, entry.reason, entry.strength) for entry in found] == [
        (0, Reason.EDITORIAL, 1.0),
        (2, Reason.PROMOTION, 0.4),
    ]


def test_a_shop_of_products_has_none() -> None:
    assert pieces(planted_shop(), Situation("home")) == []
