"""Best sellers of what is looked at, then of the shop."""

from personalizer.candidates.sellers import best_sellers, categories_of_interest
from personalizer.situation import Situation, Viewed
from tests.personalizer.planted import ITEMS, planted_model

MODEL = planted_model()
BULB, CASE, LAMP, PHONE, RUG, TORCH = range(6)


def test_without_anything_known_the_shops_best_come() -> None:
    found = best_sellers(MODEL, Situation("home"), 3)
    assert [ITEMS[entry.item] for entry in found] == ["rug", "lamp", "bulb"]


def test_the_category_that_is_looked_at_comes_first() -> None:
    found = best_sellers(MODEL, Situation("home", viewed=(Viewed(PHONE, 1, 0),)), 2)
    assert [ITEMS[entry.item] for entry in found] == ["phone", "case", "rug", "lamp"]


def test_scores_fall_over_all_rows() -> None:
    found = best_sellers(MODEL, Situation("home", page_item=LAMP, viewed=(Viewed(PHONE, 1, 0),)), 10)
    scores = [entry.score for entry in found]
    assert scores == sorted(scores, reverse=True)
    assert 0 <= scores[-1] < scores[0] <= 1


def test_categories_come_in_the_order_of_interest_each_once() -> None:
    situation = Situation("home", RUG, (PHONE,), (Viewed(LAMP, 1, 0), Viewed(TORCH, 1, 0), Viewed(CASE, 1, 0)))
    names = [MODEL.categories[category].decode() for category in categories_of_interest(MODEL, situation)]
    assert names == ["floors", "phones", "light"]
