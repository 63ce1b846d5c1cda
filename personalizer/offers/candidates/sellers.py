"""Best sellers: of the categories that are looked at, then of the whole shop."""

from typing import Final

from personalizer.models.model import UNKNOWN, Model
from personalizer.offers.insight import PRODUCT, Insight
from personalizer.offers.situation import Candidate, Reason, Situation

__all__ = ["best_sellers", "categories_of_interest"]

MAX_CATEGORIES: Final = 3
CATEGORY_STEP: Final = 0.7  # each further category of interest counts that much of the one before it
ELSEWHERE: Final = 0.4  # what sells best in the whole shop, on a page that is about something
PER_CATEGORY: Final = 12
FALL: Final = 0.5  # the second sells 0.7 times as much as the first, the tenth 0.3 times: a Zipf law, flattened
MOST_KEPT: Final = 10_000
OVERALL: Final = 20  # or twice as many as are asked for: some are in the cart already, or sold out


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
        found += _of_row(known, category, PER_CATEGORY, weight)
        weight *= CATEGORY_STEP
    weight = ELSEWHERE if situation.page_category != UNKNOWN else 1.0
    return found + _of_row(known, UNKNOWN, max(OVERALL, 2 * situation.limit), weight)


def _of_row(known: Insight, category: int, most: int, weight: float) -> list[Candidate]:
    """Of a category, or of the shop (UNKNOWN). The same for all visitors, so it is made once."""
    kept = known.sellers.get((category, most, weight))
    if kept is not None:
        return kept
    model = known.model
    items, _ = model.sellers.row(0) if category == UNKNOWN else model.category_sellers.row(category)
    reason = Reason.BEST_SELLER if category == UNKNOWN else Reason.CATEGORY_BEST_SELLER
    # Strength falls with the place, not with the score: how far behind the first the second is says little.
    products = items[known.wares.kind[items] == PRODUCT][:most].tolist()
    found = [Candidate(item, weight / (1 + place) ** FALL, reason) for place, item in enumerate(products)]
    if len(known.sellers) < MOST_KEPT:
        known.sellers[category, most, weight] = found
    return found
