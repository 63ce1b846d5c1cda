"""Best sellers of what is looked at, then of the shop."""

from personalizer.offers.candidates.sellers import best_sellers
from personalizer.offers.situation import Reason, Situation
from tests.personalizer.planted import ITEMS
from tests.personalizer.shops import planted_shop, told

KNOWN = planted_shop()
MODEL = KNOWN.model


def category(name: str) -> int:
    return MODEL.categories.tolist().index(name.encode())


def names(situation: Situation, reason: Reason) -> list[str]:
    found = [entry for entry in told(best_sellers(KNOWN, situation)) if entry.reason is reason]
    return [ITEMS[entry.item] for entry in sorted(found, key=lambda entry: -entry.strength)]


def test_without_anything_known_the_shops_best_come() -> None:
    assert names(Situation("home"), Reason.BEST_SELLER)[:3] == ["rug", "lamp", "bulb"]
    assert names(Situation("home"), Reason.CATEGORY_BEST_SELLER) == []


def test_the_category_that_is_looked_at_has_its_own() -> None:
    looking = Situation("home", interests=(category("phones"),))
    assert names(looking, Reason.CATEGORY_BEST_SELLER) == ["phone", "case"]


def test_a_page_of_a_category_has_its_best() -> None:
    page = Situation("category", page_category=category("light"), interests=(category("light"),))
    assert names(page, Reason.CATEGORY_BEST_SELLER) == ["lamp", "bulb", "torch"]


def test_the_first_category_counts_more_and_all_stay_within_bounds() -> None:
    found = told(best_sellers(KNOWN, Situation("home", page_category=1, interests=(1, category("phones")))))
    of_category = [entry.strength for entry in found if entry.reason is Reason.CATEGORY_BEST_SELLER]
    assert of_category[0] == 1.0
    assert max(of_category[3:]) == 0.7
    assert all(0 < entry.strength <= 1 for entry in found)


def test_a_page_that_is_about_something_wants_less_of_the_rest() -> None:
    anywhere, here = (
        max(entry.strength for entry in told(best_sellers(KNOWN, situation)) if entry.reason is Reason.BEST_SELLER)
        for situation in (Situation("home"), Situation("category", page_category=1))
    )
    assert here < anywhere / 2


def test_lists_are_made_once() -> None:
    first, second = (best_sellers(KNOWN, Situation("home")) for _ in range(2))
    assert all(one is other for one, other in zip(first, second, strict=True))
