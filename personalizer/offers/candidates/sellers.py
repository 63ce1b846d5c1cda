"""Best sellers: of the categories that are looked at, then of the whole shop."""

from typing import Final

from personalizer.models.goods import PRODUCT
from personalizer.models.model import UNKNOWN
from personalizer.offers.insight import Insight
from personalizer.offers.situation import Candidates, Reason, Situation

__all__ = ["best_sellers"]

CATEGORY_STEP: Final = 0.7  # each further category of interest counts that much of the one before it
ELSEWHERE: Final = 0.4  # what sells best in the whole shop, on a page that is about something
PER_CATEGORY: Final = 12
FALL: Final = 0.5  # the second sells 0.7 times as much as the first, the tenth 0.3 times: a Zipf law, flattened
OVERALL: Final = 20  # or twice as many as are asked for: some are in the cart already, or sold out


def best_sellers(known: Insight, situation: Situation) -> list[Candidates]:
    """The best of each category of interest, and of the shop."""
    found = [
        _of_row(known, category, PER_CATEGORY, CATEGORY_STEP**place) for place, category in enumerate(situation.interests)
    ]
    weight = ELSEWHERE if situation.page_category != UNKNOWN else 1.0
    return [*found, _of_row(known, UNKNOWN, max(OVERALL, 2 * situation.limit), weight)]


def _of_row(known: Insight, category: int, most: int, weight: float) -> Candidates:
    """Of a category, or of the shop (UNKNOWN). The same for all visitors, so it is made once."""
    key = category, most, weight
    return known.sellers.get(key) or known.sellers.keep(key, _made(known, category, most, weight))


def _made(known: Insight, category: int, most: int, weight: float) -> Candidates:
    model = known.model
    items, _ = model.sellers.row(0) if category == UNKNOWN else model.category_sellers.row(category)
    reason = Reason.BEST_SELLER if category == UNKNOWN else Reason.CATEGORY_BEST_SELLER
    products = items[known.wares.kind[items] == PRODUCT][:most].tolist()
    # Strength falls with the place, not with the score: how far behind the first the second is says little.
    return Candidates(reason, products, [weight / (1 + place) ** FALL for place in range(len(products))])
