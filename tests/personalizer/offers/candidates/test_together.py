"""Candidates that go together with what the visitor is busy with."""

import pytest

from personalizer.offers.candidates.together import bought_together, seeds, viewed_together
from personalizer.offers.situation import Candidates, Reason, Situation, Viewed
from tests.personalizer.planted import ITEMS
from tests.personalizer.shops import Told, planted_shop, told

KNOWN = planted_shop()
BULB, CASE, LAMP, PHONE, RUG, TORCH = range(6)


def by_item(found: list[Candidates]) -> dict[int, Told]:
    entries = told(found)
    assert len({entry.item for entry in entries}) == len(entries), "each item once"
    return {entry.item: entry for entry in entries}


def test_a_planted_companion_is_the_strongest() -> None:
    best = max(told(bought_together(KNOWN, Situation("cart", cart=(LAMP,)))), key=lambda entry: entry.strength)
    assert (ITEMS[best.item], best.reason, best.because) == ("bulb", Reason.BOUGHT_TOGETHER, LAMP)


def test_what_was_only_looked_at_needs_no_companion_yet() -> None:
    carted, viewed = (
        by_item(bought_together(KNOWN, situation))[BULB].strength
        for situation in (Situation("home", cart=(LAMP,)), Situation("home", viewed=(Viewed(LAMP, 1, 0),)))
    )
    assert 0 < viewed < carted / 3


def test_evidence_of_several_items_adds_up() -> None:
    alone = by_item(bought_together(KNOWN, Situation("cart", cart=(LAMP,))))
    both = by_item(bought_together(KNOWN, Situation("cart", cart=(LAMP, BULB))))
    assert both[RUG].strength > alone[RUG].strength > 0
    assert all(0 < entry.strength < 1 for entry in both.values())


def test_names_the_strongest_reason() -> None:
    found = by_item(bought_together(KNOWN, Situation("cart", page_item=PHONE, cart=(LAMP,))))
    assert (found[CASE].because, found[BULB].because) == (PHONE, LAMP)


def test_alternatives_are_not_looked_for_once_one_is_in_the_cart() -> None:
    assert by_item(viewed_together(KNOWN, Situation("home", viewed=(Viewed(LAMP, 1, 0),))))[TORCH].because == LAMP
    assert viewed_together(KNOWN, Situation("home", cart=(LAMP,), viewed=(Viewed(LAMP, 1, 0),))) == []
    assert TORCH in by_item(viewed_together(KNOWN, Situation("product", page_item=LAMP, cart=(LAMP,))))


def test_nothing_leads_to_nothing() -> None:
    assert bought_together(KNOWN, Situation("home")) == viewed_together(KNOWN, Situation("home")) == []


def test_the_page_weighs_most_then_the_cart_then_purchases_then_views() -> None:
    seen = (Viewed(RUG, 1, 0), Viewed(TORCH, 1, 0), Viewed(LAMP, 1, 0))
    found = seeds(Situation("home", LAMP, cart=(PHONE,), viewed=seen, bought={BULB: 0.0}))
    assert [seed.item for seed in found] == [LAMP, PHONE, BULB, RUG, TORCH]
    weights = [seed.weight for seed in found]
    assert weights == sorted(weights, reverse=True)
    assert len(set(weights)) == 5


@pytest.mark.parametrize(
    "old",
    [
        Situation("home", bought={RUG: 300 * 86_400.0}),
        Situation("home", viewed=(Viewed(RUG, 1, 30 * 86_400),)),
    ],
)
def test_what_is_long_ago_weighs_little_but_something(old: Situation) -> None:
    assert 0 < seeds(old)[0].weight < 0.05


def test_looks_from_a_bounded_number_of_items() -> None:
    cart = tuple(range(100, 150))
    assert [seed.item for seed in seeds(Situation("cart", cart=cart))] == list(cart[-8:])
