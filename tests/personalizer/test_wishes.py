"""What a merchant would ask for: in the demo's shop after weeks of simulated shoppers, and in shops made for a wish."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest

from demo.catalogue import BY_ID
from personalizer.offers.answer import Offer, offers_of
from personalizer.offers.decision import Dial, decide
from personalizer.offers.insight import Insight
from personalizer.offers.situation import Question
from schema.profile import BoughtItem, Cart, CartLine, Order, SeenOffer, ViewedItem, VisitorProfile
from tests.personalizer.planted import NOW_MS
from tests.personalizer.shops import DAY_MS, item, shop
from tests.personalizer.simulated import changed, simulated_shop

MINUTE_MS = 60_000


@pytest.fixture(scope="module")
def demo() -> Insight:
    return simulated_shop()


def somebody(
    *,
    viewed: Sequence[str] = (),
    cart: Sequence[str] = (),
    cart_days_ago: float = 0,
    bought: Sequence[tuple[str, float]] = (),
) -> VisitorProfile:
    """Who looked at these (the last one now), has these in the cart and bought these so many days ago."""
    views = [
        ViewedItem(name, "", name.title(), 1, NOW_MS - MINUTE_MS * (len(viewed) - 1 - place), -1, "EUR")
        for place, name in enumerate(viewed)
    ]
    orders = [
        Order(f"T-{place}", NOW_MS - int(days * DAY_MS), 1_000_000, "EUR", [BoughtItem(name, 1)])
        for place, (name, days) in enumerate(bought)
    ]
    lines = [CartLine(name, 1, -1, name.title(), "") for name in cart]
    changed_at = NOW_MS - int(cart_days_ago * DAY_MS)
    return VisitorProfile(0, NOW_MS, 1, [], [], views, orders, Cart("EUR", changed_at, 0, lines))


def offered(
    known: Insight, who: VisitorProfile | None = None, placement: str = "home", item_id: str | None = None, *,
    limit: int = 5, value: float = 0.3, explore: float = 0.0, seed: int = 1, **more: object,
) -> list[Offer]:  # fmt: skip
    question = Question(placement, item_id, limit=limit, **more)  # type: ignore[arg-type]
    choice = decide(known, who, question, Dial(value, explore), Random(seed), NOW_MS)
    return offers_of(known, choice, NOW_MS)


def names(offers: Sequence[Offer]) -> list[str]:
    return [offer.item_id for offer in offers]


PHONES = shop(
    [item("case", "phones", 25), item("glass", "phones", 15), item("phone", "phones", 449), item("phone2", "phones", 499),
     item("phone3", "phones", 399), item("rug", "floors", 120), item("lamp", "light", 40)],
    chosen=[(("phone", "phone2", "phone3"), ("phone",)), (("phone", "phone2"), ("phone2",)),
            (("phone", "phone3"), ("phone3",)), (("phone", "case"), ("phone", "case")),
            (("phone", "glass", "case"), ("phone", "glass"))] * 8,
    bought=[("rug",), ("lamp",)] * 5,
)  # fmt: skip


def test_after_buying_a_phone_offer_the_case_not_another_phone() -> None:
    found = names(offered(PHONES, somebody(viewed=["phone"], bought=[("phone", 0.01)]), "thanks"))
    assert set(found[:2]) == {"case", "glass"}
    assert not {"phone", "phone2", "phone3"} & set(found)


def test_before_buying_a_phone_the_other_phones_are_welcome() -> None:
    found = names(offered(PHONES, somebody(viewed=["phone2", "phone"]), "product-detail", "phone"))
    assert {"phone2", "phone3"} & set(found)


def test_the_case_goes_with_what_is_in_your_cart() -> None:
    first = offered(PHONES, somebody(cart=["phone"]), "cart")[0]
    assert first.item_id in ("case", "glass")
    assert first.reason_text == "Goes with Phone in your cart"


def test_nor_another_phone_while_one_is_in_the_cart() -> None:
    assert not {"phone2", "phone3"} & set(names(offered(PHONES, somebody(cart=["phone"]), "cart", limit=50)))


def test_what_two_strangers_bought_together_once_is_no_reason() -> None:
    known = shop(
        [item(name, name) for name in ("bulb", "lamp", "tray")],
        bought=[("lamp", "bulb")] * 4 + [("lamp",)] * 2 + [("lamp", "tray")],
    )
    bulb, tray = offered(known, somebody(cart=["lamp"]), "cart")
    assert (bulb.item_id, tray.item_id) == ("bulb", "tray")
    assert bulb.score > 3 * tray.score


def test_never_what_is_sold_out(demo: Insight) -> None:
    assert "BULB-1" in names(offered(demo, somebody(cart=["LAMP-1"]), "cart"))
    without = changed(demo, BULB_1={"availability": "out_of_stock"})
    assert "BULB-1" not in names(offered(without, somebody(cart=["LAMP-1"]), "cart", limit=50))


def test_never_what_is_past_its_date(demo: Insight) -> None:
    over = changed(demo, MOKA_1={"expires_ms": NOW_MS - 1})
    assert "MOKA-1" not in names(offered(over, None, "category", category="coffee", limit=50))


def test_never_what_left_the_catalogue(demo: Insight) -> None:
    gone = changed(demo, PHONE_1={"listed": False})
    assert "PHONE-1" not in names(offered(gone, limit=50))


BEANS = shop(
    [item("beans", "food", 21, consumable=True), item("cups", "coffee", 26), item("pot", "coffee", 35), item("rug", "x")],
    bought=[("beans", "cups"), ("pot",), ("rug",)] * 6, rebuy_days={"beans": 28},
)  # fmt: skip


@pytest.mark.parametrize(("days", "again"), [(1, False), (10, False), (27, True), (31, True), (40, True)])
def test_beans_again_after_a_month_not_after_a_day(days: float, again: bool) -> None:
    found = offered(BEANS, somebody(bought=[("beans", days)]))
    assert ("beans" in names(found)) is again
    if again:
        assert (found[0].item_id, found[0].reason) == ("beans", "replenishment")


def test_a_pot_is_not_bought_again_even_after_a_month() -> None:
    assert "pot" not in names(offered(BEANS, somebody(bought=[("pot", 40)]), limit=50))


@pytest.mark.parametrize(("times", "dismissed", "again"), [(9, 0, True), (10, 0, False), (1, 1, False)])
def test_not_what_was_waved_away_or_overlooked_ten_times(demo: Insight, times: int, dismissed: int, again: bool) -> None:
    who = somebody(cart=["LAMP-1"])
    assert "BULB-1" in names(offered(demo, who, "cart", cap=10))
    who.seen_offers = [SeenOffer("BULB-1", times, NOW_MS - DAY_MS, dismissed)]
    assert ("BULB-1" in names(offered(demo, who, "cart", cap=10, limit=50))) is again


def test_variants_once() -> None:
    shirts = [item(f"shirt-{size}", "shirts", variant_of="shirt") for size in "sml"]
    known = shop([*shirts, item("cap", "hats")], bought=[(f"shirt-{size}",) for size in "sml"] * 5)
    assert sum(name.startswith("shirt") for name in names(offered(known, limit=50))) == 1
    for there in ({"cart": ["shirt-s"]}, {"bought": [("shirt-m", 2)]}):
        assert names(offered(known, somebody(**there), limit=50)) == ["cap"]  # type: ignore[arg-type]
    assert names(offered(known, None, "product", "shirt-l", limit=50)) == ["cap"], "nor of what is on the page"


WIRES = shop(
    [item("cable", "wires", 10), item("phone", "phones", 450), *[item(f"x{n}", "y", 40) for n in range(6)]],
    bought=[("cable",)] * 5 + [("phone",)] * 4,
)


def test_a_cheap_cable_does_not_push_out_the_phone_unless_the_dial_says_relevance_only() -> None:
    assert names(offered(WIRES))[:2] == ["phone", "cable"]
    assert names(offered(WIRES, value=0.0))[:2] == ["cable", "phone"]


def test_an_irrelevant_phone_does_not_push_out_the_cable_either() -> None:
    charger = shop(
        [item("cable", "wires", 10), item("charger", "wires", 30), item("phone", "phones", 450), item("x", "y", 40)],
        bought=[("charger", "cable")] * 6 + [("phone",)] * 2,
    )
    assert names(offered(charger, somebody(cart=["charger"]), "cart"))[0] == "cable"


def test_money_counts_by_margin_not_by_price() -> None:
    known = shop(
        [
            item("dear", "a", 100, margin_micros=1_000_000),
            item("good", "b", 40, margin_micros=30_000_000),
            item("x", "c", 40),
        ],
        bought=[("dear",)] * 4 + [("good",)] * 4,
    )
    assert names(offered(known, value=1.0))[0] == "good"


def test_a_new_arrival_gets_its_chance(demo: Insight) -> None:
    new = changed(demo, STRING_1={"first_seen_ms": NOW_MS - DAY_MS})
    assert demo.model.habits is not None
    number = demo.model.find_items(["STRING-1"])[0]
    views = demo.model.habits.views.copy()
    views[number] = 0
    unseen = replace(
        new,
        model=replace(new.model, habits=replace(demo.model.habits, views=views)),
        arrivals={-1: [(number, NOW_MS // 1000 - 86_400)]},
    )
    shown = Counter(name for seed in range(1000) for name in names(offered(unseen, explore=0.05, seed=seed)))
    assert "STRING-1" not in names(offered(demo)), "it would not be shown by itself"
    assert shown["STRING-1"] > 10, "one in a hundred lists at least"


def test_somebody_from_nowhere_sees_best_sellers_of_the_pages_category(demo: Insight) -> None:
    found = offered(demo, None, "category", category="coffee")
    assert {BY_ID[name].category for name in names(found)} == {"coffee"}
    assert {offer.reason for offer in found} == {"category_best_seller"}


def test_somebody_from_nowhere_sees_some_of_several_categories_at_home(demo: Insight) -> None:
    assert len({BY_ID[name].category for name in names(offered(demo))}) >= 4


AFFINITIES = {
    "LAMP-1": {"BULB-1", "SHADE-1"}, "PHONE-1": {"CASE-1", "GLASS-1", "CHARGE-1"}, "MOKA-1": {"BEANS-1", "CUPS-1"},
    "PACK-1": {"CUBES-1", "BOTTLE-1"}, "POT-1": {"SOIL-1", "SEEDS-1"}, "PEN-1": {"INK-1", "NOTE-1"},
}  # fmt: skip


@pytest.mark.parametrize("item_id", AFFINITIES)
def test_finds_planted_affinities(demo: Insight, item_id: str) -> None:
    assert set(names(offered(demo, somebody(viewed=[item_id]), "product-detail", item_id))) & AFFINITIES[item_id]


@pytest.mark.long
def test_the_model_of_next_items_finds_them_too() -> None:
    ranked = simulated_shop(ranked=True)
    for item_id, companions in AFFINITIES.items():
        found = offered(ranked, somebody(viewed=[item_id]), "home")
        assert set(names(found)) & companions, item_id
        assert "next_item" in {offer.reason for offer in found}


def test_three_looks_tell_a_taste(demo: Insight) -> None:
    found = names(offered(demo, somebody(viewed=["MOKA-1", "GRIND-1", "KETTLE-1"]), limit=6))
    assert sum(BY_ID[name].category == "coffee" for name in found) >= 3


def test_a_list_of_offers_is_not_all_of_one_kind(demo: Insight) -> None:
    found = names(offered(demo, somebody(viewed=["LAMP-1", "LAMP-2", "LAMP-3", "LAMP-4"]), limit=8))
    assert max(Counter(BY_ID[name].category for name in found).values()) <= 5


def test_what_was_left_in_the_cart_comes_back_at_home(demo: Insight) -> None:
    first = offered(demo, somebody(cart=["JACKET-1"], cart_days_ago=2))[0]
    assert (first.item_id, first.reason_text) == ("JACKET-1", "Still in your cart")


@pytest.mark.parametrize("placement", ["cart", "checkout", "product-detail", "category"])
def test_but_not_while_shopping(demo: Insight, placement: str) -> None:
    assert "JACKET-1" not in names(offered(demo, somebody(cart=["JACKET-1"], cart_days_ago=2), placement, limit=50))


def test_never_what_is_on_the_page(demo: Insight) -> None:
    assert "MOKA-1" not in names(offered(demo, somebody(viewed=["MOKA-1"]), "product-detail", "MOKA-1", limit=50))


def test_ready_to_buy_sees_what_completes_it_and_informing_sees_alternatives() -> None:
    who = somebody(viewed=["phone2", "phone"])
    buying, informing = (
        names(offered(PHONES, who, "product-detail", "phone", limit=2, purposes=purposes, value=0.0))
        for purposes in ((0.0, 0.0, 1.0), (1.0, 0.0, 0.0))
    )
    assert set(buying) == {"case", "glass"}
    assert {"phone2", "phone3"} & set(informing)


def test_reading_is_offered_to_who_informs_themselves_and_never_at_the_till() -> None:
    known = shop(
        [item("guide", "light", None, kind="editorial"), *[item(f"lamp{n}", "light") for n in range(8)]],
        bought=[(f"lamp{n}",) for n in range(8)] * 2,
    )
    informing = offered(known, None, "category", category="light", limit=8, purposes=(1.0, 0.0, 0.0))
    assert "editorial" in {offer.reason for offer in informing}
    assert "guide" not in names(offered(known, somebody(cart=["lamp1"]), "cart", limit=50, purposes=(1.0, 0.0, 0.0)))


def test_a_promotion_is_shown_where_the_shop_allows_it_and_once() -> None:
    known = shop(
        [
            item("sale", "light", None, kind="promotion", placements=("home-hero",)),
            *[item(f"l{n}", "light") for n in range(9)],
        ],
        bought=[(f"l{n}",) for n in range(9)],
    )
    assert names(offered(known, None, "home-hero", limit=8)).count("sale") == 1
    assert "sale" not in names(offered(known, None, "product", "l1", limit=50))


def test_every_offer_says_why_in_a_sentence(demo: Insight) -> None:
    for offer in offered(demo, somebody(viewed=["MOKA-1"], cart=["PACK-1"], bought=[("PEN-1", 3)]), limit=50):
        assert 8 < len(offer.reason_text) < 100
        assert "{" not in offer.reason_text


def test_what_visitors_answered_outweighs_what_was_assumed() -> None:
    plain = shop([item("a", "x"), item("b", "x"), item("c", "y")], bought=[("a",)] * 5 + [("b",)] * 4 + [("c",)] * 3)
    assert names(offered(plain))[0] == "a"
    factor = plain.responses.factor.copy()
    factor[plain.model.find_items(["c"])[0]] = 4.0
    learned = replace(plain, responses=replace(plain.responses, factor=factor))
    assert names(offered(learned))[0] == "c"
