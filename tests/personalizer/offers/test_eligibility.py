"""Who may be offered: each rule alone."""

import numpy as np
import pytest

from personalizer.offers.eligibility import Seats, barred, caps_of, due_again, substitutes, unsellable
from personalizer.offers.ranking import Ranked
from personalizer.offers.situation import Reason, Situation
from tests.personalizer.shops import item, shop

DAY = 86_400.0
KNOWN = shop(
    [item("beans", "food"), item("case", "phones", 19), item("grind", "food"), item("phone", "phones", 400),
     item("phone2", "phones", 420), item("phone3", "phones", 900), item("rug", "floors", 400)],
    bought=[("rug",), ("phone2",)],
    viewed=[("rug", "phone")] * 6 + [("beans", "grind")] * 6,
    chosen=[(("phone", "phone2", "phone3"), ("phone",)), (("phone", "phone3"), ("phone3",))] * 6
    + [(("phone", "case"), ("phone", "case")), (("beans", "grind"), ("beans", "grind"))] * 8,
    rebuy_days={"beans": 30},
)  # fmt: skip
BEANS, CASE, GRIND, PHONE, PHONE2, PHONE3, RUG = range(7)


def test_the_page_the_cart_and_what_was_bought_are_barred_by_name() -> None:
    found = barred(KNOWN, Situation("x", page_item=RUG, cart=(CASE,), bought={GRIND: 5.0}), frozenset())
    assert found[RUG] == "on_the_page"
    assert found[CASE] == "in_the_cart"
    assert found[GRIND] == "bought_before"


def test_what_was_seen_in_vain_is_barred_unless_there_is_a_better_reason() -> None:
    found = barred(KNOWN, Situation("x", cart=(CASE,), ignored=frozenset({CASE, RUG})), frozenset())
    assert (found[RUG], found[CASE]) == ("seen_in_vain", "in_the_cart")


def test_what_is_welcome_back_is_not() -> None:
    assert CASE not in barred(KNOWN, Situation("x", cart=(CASE,)), frozenset({CASE}))


def test_the_page_bars_even_what_is_welcome_back() -> None:
    assert barred(KNOWN, Situation("x", page_item=CASE, cart=(CASE,)), frozenset({CASE}))[CASE] == "on_the_page"


@pytest.mark.parametrize(("days", "again"), [(1, set()), (20, set()), (22, {BEANS}), (90, {BEANS})])
def test_what_is_used_up_may_come_again(days: float, again: set[int]) -> None:
    assert due_again(KNOWN, Situation("x", bought={BEANS: days * DAY, RUG: days * DAY})) == again


def test_what_is_compared_and_not_bought_along_is_a_substitute() -> None:
    found = substitutes(KNOWN, Situation("x", bought={PHONE: 60.0}))
    assert found == {PHONE2, PHONE3}, "the case is bought along, the rug is of another category"


def test_at_the_till_the_choice_is_made() -> None:
    assert substitutes(KNOWN, Situation("cart", cart=(PHONE,))) == {PHONE2, PHONE3}
    assert substitutes(KNOWN, Situation("product-detail", cart=(PHONE,))) == set(), "there people still compare"


def test_before_visits_tell_the_price_does() -> None:
    known = shop(
        [
            item("case", "phones", 19),
            item("phone", "phones", 400),
            item("phone2", "phones", 450),
            item("rug", "floors", 400),
        ],
        viewed=[("phone", "phone2"), ("phone", "case"), ("phone", "rug")] * 6,
    )
    assert substitutes(known, Situation("x", bought={1: 60.0})) == {2}


def test_what_people_take_along_is_none_whatever_it_costs() -> None:
    both, one = (("pan", "lid"), ("pan", "lid")), (("pan", "rack"), ("pan",))
    known = shop([item("lid", "k", 54), item("pan", "k", 54), item("rack", "k", 54)], chosen=[both, one] * 12)
    assert substitutes(known, Situation("x", bought={1: 60.0})) == {2}


def test_a_month_later_another_one_may_be_wanted() -> None:
    assert substitutes(KNOWN, Situation("x", bought={PHONE: 31 * DAY})) == set()


def test_what_is_bought_again_and_again_has_no_substitutes() -> None:
    assert substitutes(KNOWN, Situation("x", bought={BEANS: 60.0})) == set()


def test_what_the_catalogue_has_closed_is_not_for_sale() -> None:
    known = shop([item(name) for name in "abcd"])
    assert unsellable(known, np.arange(4), [1, 3], "home") == {1: "not_for_sale", 3: "not_for_sale"}


def test_the_catalogue_says_where_a_thing_may_be_shown() -> None:
    known = shop([item("a", placements=("home",)), item("b", excluded_placements=("home",)), item("c")])
    assert unsellable(known, np.arange(3), [], "home") == {1: "not_at_this_placement"}
    assert unsellable(known, np.arange(3), [], "cart") == {0: "not_at_this_placement"}


def test_pieces_have_no_business_at_the_till() -> None:
    known = shop([item("guide", kind="editorial"), item("lamp"), item("sale", kind="promotion")])
    assert unsellable(known, np.arange(3), [], "checkout") == {0: "not_at_this_placement"}
    assert unsellable(known, np.arange(3), [], "home") == {}


def test_what_costs_nothing_is_compared_without_a_warning() -> None:
    known = shop([item("a", "c", 0), item("b", "c", 0), item("c", "c", 5)], viewed=[("a", "b", "c")] * 6)
    assert substitutes(known, Situation("x", bought={0: 60.0})) == set()


def test_a_cart_of_a_hundred_lines_is_looked_up_once_for_each_line() -> None:
    known = shop(
        [item(f"i{n:03}", "c", 10) for n in range(100)], viewed=[(f"i{n:03}", f"i{n + 1:03}") for n in range(99)] * 3
    )
    everything = Situation("cart", cart=tuple(range(100)))
    assert substitutes(known, everything) == substitutes(known, everything) == set(range(100))
    assert len(known.substitutes) == 100


def ranked(number: int, category: int = 0, reason: Reason = Reason.BEST_SELLER, variant: int = -1) -> Ranked:
    return Ranked(number, 0.1, 1.0, 0.1, category, reason, -1, variant)


def seats(limit: int = 5, home: int = -1, there: set[int] | None = None) -> Seats:
    brands = {number: item(str(number), brand="Lumo" if number < 20 else "") for number in range(40)}
    return Seats(limit, home, there or set(), brands.__getitem__)


def test_of_a_product_one_variant_is_shown() -> None:
    table = seats(there={4})
    assert [table.fits(ranked(20 + n, variant=variant)) for n, variant in enumerate((3, 3, 4))] == [True, False, False]
    assert table.refused == {21: "variant_shown", 22: "variant_of_what_is_there"}
    assert table.fill(10) == [], "variants do not wait for room"


def test_enough_of_a_category_is_enough_but_not_on_its_own_page() -> None:
    caps = caps_of(5)
    assert caps.of_category == 3
    assert [seats().fits(ranked(20 + n)) for n in range(1)] == [True]
    for home, fit in ((-1, 3), (0, 5)):
        table = seats(home=home)
        assert sum(table.fits(ranked(20 + n)) for n in range(5)) == fit


def test_enough_of_a_brand_is_enough() -> None:
    table = seats()
    assert [table.fits(ranked(n, category=n)) for n in range(4)] == [True, True, True, False]
    assert table.refused == {3: "enough_of_brand"}


def test_a_source_gets_its_share() -> None:
    table = seats()
    assert [table.fits(ranked(20 + n, n, Reason.NEW_ARRIVAL)) for n in range(2)] == [True, False]
    assert table.refused == {21: "enough_of_source"}


def test_whoever_was_one_too_many_comes_when_there_is_room() -> None:
    table = seats()
    for n in range(5):
        table.fits(ranked(20 + n))
    assert [one.item for one in table.fill(10)] == [23, 24]
    assert table.refused == {}


def test_a_try_needs_no_seat_but_a_variant_of_its_own() -> None:
    table = seats()
    assert table.fits(ranked(20, variant=3))
    assert not table.may_try(ranked(21, variant=3))
    assert table.may_try(ranked(30, variant=5))
