"""A profile in the model's numbers."""

import pytest

from personalizer.models.model import UNKNOWN
from personalizer.offers.situation import Question, Situation, situate
from schema.profile import LiveSession, SeenOffer, VisitorProfile
from tests.personalizer.planted import ITEMS, NOW_MS, planted_model, profile

MODEL = planted_model()


def seen(
    who: VisitorProfile | None,
    placement: str = "home",
    item_id: str | None = None,
    now_ms: int = NOW_MS,
    category: str | None = None,
) -> Situation:  # fmt: skip
    return situate(MODEL, who, Question(placement, item_id, category), now_ms)


def number(item: str) -> int:
    return ITEMS.index(item)


def test_leaves_out_what_the_model_has_not_met() -> None:
    found = seen(profile(viewed=["ghost", "lamp"], cart=["ghost"], bought=["ghost"]), "home", "ghost")
    assert (found.page_item, found.cart, found.bought) == (UNKNOWN, (), {})
    assert [viewed.item for viewed in found.viewed] == [number("lamp")]


def test_the_newest_view_stands_first_with_its_age() -> None:
    found = seen(profile(viewed=["rug", "lamp"]), now_ms=NOW_MS + 30_000)
    assert [(viewed.item, viewed.age_s) for viewed in found.viewed] == [(number("lamp"), 30), (number("rug"), 90)]


def test_a_view_of_the_future_has_no_age() -> None:
    assert seen(profile(viewed=["lamp"]), now_ms=NOW_MS - 5_000).viewed[0].age_s == 0


@pytest.mark.parametrize(
    ("placement", "item_id", "expected"),
    [
        ("product-detail", None, "lamp"),
        ("product-detail", "rug", "rug"),
        ("home", "rug", "rug"),
    ],
)
def test_knows_the_item_on_the_page(placement: str, item_id: str | None, expected: str) -> None:
    assert seen(profile(viewed=["lamp"]), placement, item_id).page_item == number(expected)


def test_other_pages_show_no_item() -> None:
    assert seen(profile(viewed=["lamp"])).page_item == UNKNOWN


def test_nothing_is_known_without_a_profile() -> None:
    found = seen(None)
    assert (found.page_item, found.cart, found.viewed, found.bought) == (UNKNOWN, (), (), {})


def test_the_page_has_a_category_by_its_item_or_by_name() -> None:
    names = [name.decode() for name in MODEL.categories.tolist()]
    assert names[seen(None, item_id="lamp").page_category] == "light"
    assert names[seen(None, "category", category="phones").page_category] == "phones"
    assert seen(None, "category", category="ghosts").page_category == UNKNOWN


def test_interests_are_the_categories_of_the_page_the_cart_and_the_views_each_once() -> None:
    who = profile(viewed=["case", "torch", "lamp"], cart=["lamp", "phone"])
    names = [MODEL.categories[category].decode() for category in seen(who, item_id="rug").interests]
    assert names == ["floors", "phones", "light"]
    assert seen(profile(viewed=["ghost"])).interests == ()


def test_the_newest_purchase_of_an_item_counts() -> None:
    who = profile(bought=["rug"])
    who.orders += profile(bought=["rug", "lamp"]).orders
    who.orders[1].bought_at = NOW_MS - 86_400_000
    assert seen(who).bought == {number("rug"): 0.0, number("lamp"): 86_400.0}


@pytest.mark.parametrize(
    ("changed_ago_s", "began_ago_s", "left"), [(10, 60, False), (100, 60, True), (4000, None, True), (100, None, False)]
)
def test_a_cart_of_an_earlier_visit_was_left(changed_ago_s: int, began_ago_s: int | None, left: bool) -> None:
    who = profile(cart=["lamp"], changed_at=NOW_MS - changed_ago_s * 1000)
    if began_ago_s is not None:
        began = NOW_MS - began_ago_s * 1000
        who.session = LiveSession("s", began, began, NOW_MS, 1, 1, 0, 0, 0, [], "", "", "", [])
    assert (seen(who).left, seen(who).cart_age_s) == (left, changed_ago_s)


def test_an_empty_cart_was_not_left() -> None:
    assert not seen(profile(changed_at=0)).left


@pytest.mark.parametrize(
    ("offer", "cap", "days", "rests"),
    [
        (SeenOffer("lamp", 2, NOW_MS, 0), 3, 0.0, False),
        (SeenOffer("lamp", 3, NOW_MS, 0), 3, 0.0, True),
        (SeenOffer("lamp", 3, NOW_MS, 0), 3, 6.99, True),
        (SeenOffer("lamp", 3, NOW_MS, 0), 3, 7.0, False),
        (SeenOffer("lamp", 99, NOW_MS, 1), 0, 0.0, False),
        (SeenOffer("lamp", 0, NOW_MS, 1), 3, 0.0, True),
        (SeenOffer("ghost", 3, NOW_MS, 0), 3, 0.0, False),
    ],
)
def test_what_was_offered_in_vain_rests_for_a_week(offer: SeenOffer, cap: int, days: float, rests: bool) -> None:
    who = profile(viewed=["rug"], cart=["rug"], bought=["bulb"])
    who.seen_offers = [offer]
    found = situate(MODEL, who, Question("home", cap=cap), NOW_MS + int(days * 86_400_000))
    assert (number("lamp") in found.ignored) is rests
    assert (found.cart, list(found.bought)) == ((number("rug"),), [number("bulb")])
