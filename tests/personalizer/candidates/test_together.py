"""Candidates that go together with what the visitor is busy with."""

import pytest

from personalizer.candidates.together import seeds, together
from personalizer.situation import Reason, Situation, Viewed
from tests.personalizer.planted import ITEMS, planted_model

MODEL = planted_model()
BULB, CASE, LAMP, PHONE, RUG, TORCH = range(6)


def test_a_planted_companion_comes_first() -> None:
    found = together(MODEL, Situation("cart", cart=(LAMP,)), 10)
    assert (ITEMS[found[0].item], found[0].reason, found[0].because) == ("bulb", Reason.BOUGHT_TOGETHER, LAMP)


@pytest.mark.parametrize(
    ("placement", "expected"),
    [("cart", Reason.BOUGHT_TOGETHER), ("product-detail", Reason.BOUGHT_TOGETHER), ("home-hero", Reason.VIEWED_TOGETHER)],
)
def test_near_the_purchase_bought_together_counts_more(placement: str, expected: Reason) -> None:
    assert together(MODEL, Situation(placement, page_item=LAMP), 10)[0].reason is expected


def test_evidence_of_several_items_adds_up() -> None:
    alone = {found.item: found.score for found in together(MODEL, Situation("cart", cart=(LAMP,)), 10)}
    both = {found.item: found.score for found in together(MODEL, Situation("cart", cart=(LAMP, BULB)), 10)}
    assert both[RUG] > alone[RUG] > 0
    assert all(0 < score < 1 for score in both.values())


def test_names_the_strongest_reason() -> None:
    found = together(MODEL, Situation("cart", page_item=PHONE, cart=(LAMP,)), 10)
    assert {(entry.item, entry.because) for entry in found} >= {(CASE, PHONE), (BULB, LAMP)}


def test_each_item_comes_once_and_best_first() -> None:
    found = together(MODEL, Situation("cart", page_item=LAMP, cart=(LAMP, BULB, PHONE)), 10)
    scores = [entry.score for entry in found]
    assert len({entry.item for entry in found}) == len(found)
    assert scores == sorted(scores, reverse=True)


def test_gives_no_more_than_asked() -> None:
    assert len(together(MODEL, Situation("cart", cart=(LAMP, PHONE)), 2)) == 2


def test_nothing_leads_to_nothing() -> None:
    assert together(MODEL, Situation("home"), 10) == []


def test_the_page_weighs_more_than_the_cart_and_that_more_than_views() -> None:
    found = seeds(Situation("home", LAMP, (PHONE,), (Viewed(RUG, 1, 0), Viewed(TORCH, 1, 0), Viewed(LAMP, 1, 0))))
    assert [seed.item for seed in found] == [LAMP, PHONE, RUG, TORCH]
    weights = [seed.weight for seed in found]
    assert weights == sorted(weights, reverse=True)
    assert len(set(weights)) == 4


def test_old_views_weigh_little_but_something() -> None:
    fresh, old = (seeds(Situation("home", viewed=(Viewed(RUG, 1, age),)))[0].weight for age in (0, 30 * 86_400))
    assert fresh == 0.6
    assert 0 < old < 0.05


def test_looks_from_a_bounded_number_of_items() -> None:
    cart = tuple(range(100, 150))
    assert [seed.item for seed in seeds(Situation("cart", cart=cart))] == list(cart[-10:])
