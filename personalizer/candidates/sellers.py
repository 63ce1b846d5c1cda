"""Best sellers: of the categories that are looked at, then of the whole shop."""

from typing import Final

from personalizer.insight import Insight
from personalizer.models.model import UNKNOWN, Model, Ragged
from personalizer.situation import Candidate, Reason, Situation

__all__ = ["best_sellers", "categories_of_interest"]

MAX_CATEGORIES: Final = 3
CATEGORY_STEP: Final = 0.7  # each further category of interest counts that much of the one before it
PER_CATEGORY: Final = 12
OVERALL: Final = 60


def categories_of_interest(model: Model, situation: Situation) -> list[int]:
    """The categories of the page, the cart and the latest views, in this order, each once."""
    items = [*reversed(situation.cart), *(viewed.item for viewed in situation.viewed[:8])]
    found = dict.fromkeys([situation.page_category, *(int(model.category_of[item]) for item in items)])
    return [category for category in found if category != UNKNOWN][:MAX_CATEGORIES]


def best_sellers(known: Insight, situation: Situation) -> list[Candidate]:
    """The best of each category of interest, and of the shop."""
    found: list[Candidate] = []
    weight = 1.0
    for category in categories_of_interest(known.model, situation):
        found += _of_row(known.model.category_sellers, category, PER_CATEGORY, weight, Reason.CATEGORY_BEST_SELLER)
        weight *= CATEGORY_STEP
    return found + _of_row(known.model.sellers, 0, OVERALL, 1.0, Reason.BEST_SELLER)


def _of_row(sellers: Ragged, row: int, most: int, weight: float, reason: Reason) -> list[Candidate]:
    """Strength falls with the place, not with the score: how far behind the first the second is says little."""
    items, _ = sellers.row(row)
    return [Candidate(item, weight / (1 + place) ** 0.25, reason) for place, item in enumerate(items[:most].tolist())]
