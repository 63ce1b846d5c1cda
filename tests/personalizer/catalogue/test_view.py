import time

import numpy as np
import pytest

from personalizer.catalogue.item import CatalogueItem, encode_item, item_facts
from personalizer.catalogue.view import CatalogueView, News, model_goods, view_of
from personalizer.learning.history import Interactions, Items, Parameters
from personalizer.learning.train import learn
from personalizer.models.goods import NEVER, UNKNOWN
from personalizer.models.model import Model
from tests.personalizer.catalogue.shelf import euros
from tests.personalizer.planted import NOW_MS, planted_model
from tests.personalizer.shops import item

NOW_S = NOW_MS // 1000
MODEL = planted_model()


def number(item_id: str) -> int:
    return MODEL.find_items([item_id])[0]


def seen(
    rows: dict[str, CatalogueItem | None], complete: bool = False, now_ms: int = NOW_MS, model: Model = MODEL
) -> CatalogueView:
    news: News = {item_id: None if row is None else encode_item(row) for item_id, row in rows.items()}
    return view_of(model, model_goods(model), news, complete, now_ms)


def test_without_a_catalogue_everything_that_was_seen_is_sold() -> None:
    view = seen({})
    assert view.sellable.all()
    np.testing.assert_allclose(view.price, 39.9, rtol=1e-6)
    np.testing.assert_allclose(view.value, 39.9, rtol=1e-6)
    assert view.until_s == NEVER
    assert view.facts(number("lamp")) == MODEL.facts(number("lamp"))


@pytest.mark.parametrize(
    ("row", "sold"),
    [
        (euros(10, availability="in_stock"), True),
        (euros(10), True),
        (euros(10, availability="preorder"), True),
        (euros(10, availability="backorder"), True),
        (euros(10, availability="out_of_stock"), False),
        (euros(10, expires_ms=NOW_MS), False),
        (euros(10, expires_ms=NOW_MS + 1000), True),
        (CatalogueItem(removed=True), False),
    ],
)
def test_what_can_be_bought_may_be_offered(row: CatalogueItem, sold: bool) -> None:
    assert bool(seen({"lamp": row}).sellable[number("lamp")]) is sold


def test_with_a_whole_feed_only_its_items_are_sold() -> None:
    view = seen({"lamp": euros(10), "rug": None}, complete=True)
    assert np.flatnonzero(view.sellable).tolist() == [number("lamp")]
    assert seen({"lamp": euros(10), "rug": None}).sellable.all()


def test_a_sale_holds_between_its_dates_and_the_view_says_when_to_look_again() -> None:
    row = euros(40, cost_micros=25_000_000, sale_price_micros=32_000_000, sale_from_ms=NOW_MS, sale_until_ms=NOW_MS + 60_000)
    lamp = number("lamp")
    before, during, after = (seen({"lamp": row}, now_ms=NOW_MS + later) for later in (-1000, 0, 60_000))
    assert [view.price[lamp] for view in (before, during, after)] == [40, 32, 40]
    assert [view.value[lamp] for view in (before, during, after)] == [15, 7, 15]
    assert [view.until_s for view in (before, during, after)] == [NOW_S, NOW_S + 60, NEVER]
    assert [str(view.facts(lamp).price) for view in (before, during, after)] == ["40.00", "32.00", "40.00"]


def test_where_the_cost_is_unknown_the_usual_margin_is_taken() -> None:
    view = seen({"lamp": euros(100, cost_micros=80_000_000), "rug": euros(50), "bulb": euros(10, cost_micros=12_000_000)})
    # Shares of margin are 0.2 and -0.2: the median is 0, and nothing is taken to be worth nothing at all.
    assert (view.value[number("lamp")], view.value[number("bulb")]) == (20, pytest.approx(0.1))
    assert view.value[number("rug")] == pytest.approx(0.5)


def test_placements_are_allowed_and_forbidden() -> None:
    view = seen({"lamp": euros(10, placements=("cart",)), "rug": euros(10, excluded_placements=("cart",))})
    lamp, rug = number("lamp"), number("rug")
    assert [view.allows(lamp, place) for place in ("cart", "home", "made-up")] == [True, False, False]
    assert [view.allows(rug, place) for place in ("cart", "home", "made-up")] == [False, True, True]
    assert not view.plain
    assert seen({}).allows(lamp, "cart")


def test_a_shop_of_products_without_rules_is_plain() -> None:
    assert seen({"lamp": euros(10)}).plain
    assert not seen({"lamp": euros(10, kind="editorial")}).plain


def test_variants_of_one_product_share_a_number() -> None:
    view = seen({"lamp": euros(1, variant_of="g"), "rug": euros(1, variant_of="g"), "bulb": euros(1, variant_of="h")})
    groups = view.variant_of[[number("lamp"), number("rug"), number("bulb"), number("case")]].tolist()
    assert groups[0] == groups[1] != groups[2]
    assert groups[3] == UNKNOWN
    assert UNKNOWN not in groups[:3]


def test_the_model_is_left_as_it_was() -> None:
    before = MODEL.category_of.copy()
    view = seen({"lamp": euros(10, categories="phones > lamps", kind="promotion", consumable=True, added_ms=5_000)})
    lamp = number("lamp")
    assert view.category_of[lamp] == MODEL.category_of[number("phone")]
    assert (view.kind[lamp], view.consumable[lamp], view.first_seen_s[lamp]) == (1, 1, 5)
    np.testing.assert_array_equal(MODEL.category_of, before)


def test_items_that_the_model_does_not_know_are_passed_over() -> None:
    assert seen({"never seen": euros(10)}).sellable.all()


def test_facts_are_those_of_the_newest_row() -> None:
    row = euros(12, name="Lamp, new", availability="out_of_stock")
    facts = seen({"lamp": row}).facts(number("lamp"))
    assert facts == item_facts("lamp", row, MODEL.facts(number("lamp")))
    assert (facts.name, facts.url) == ("Lamp, new", "http://shop.test/p/lamp")


def test_an_empty_model_has_an_empty_view() -> None:
    nothing = Interactions(np.zeros(0, np.uint64), np.zeros(0, np.int32), *(np.zeros(0, np.float32),) * 3)
    view = seen({"lamp": euros(10)}, model=learn(Items([], np.zeros((0, 3))), nothing, Parameters()))
    assert view.sellable.shape == view.price.shape == view.value.shape == (0,)


@pytest.mark.parametrize("cost", [10, 15])
def test_what_is_sold_at_cost_or_below_is_worth_little_but_not_unknown(cost: int) -> None:
    view = seen({"lamp": euros(10, cost_micros=cost * 1_000_000), "rug": euros(50, cost_micros=20_000_000)})
    assert view.value[number("lamp")] == pytest.approx(0.1)


def test_many_items_with_rules_may_change_at_once() -> None:
    facts = [item(f"i{place:04}", placements=("home",)) for place in range(8000)]
    nothing = Interactions(np.zeros(0, np.uint64), np.zeros(0, np.int32), *(np.zeros(0, np.float32),) * 3)
    model = learn(Items(facts, np.zeros((len(facts), 3))), nothing, Parameters())
    row = euros(10, placements=("cart",))
    began = time.process_time()
    view = seen({entry.item_id: row for entry in facts}, model=model)
    assert time.process_time() - began < 1.5
    assert all(view.allows(place, "cart") for place in range(8000))


def test_a_row_in_another_currency_is_worth_what_is_usual() -> None:
    view = seen({"lamp": CatalogueItem(currency="JPY", price_micros=5_000_000_000)})
    assert np.isnan(view.price[number("lamp")])
    assert view.value[number("lamp")] == pytest.approx(39.9)
    assert str(view.facts(number("lamp")).price) == "5000.00"
