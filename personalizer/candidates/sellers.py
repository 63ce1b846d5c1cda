"""Best sellers: of the categories that are looked at, then of the whole shop."""

from typing import Final

from personalizer.models.model import UNKNOWN, Model, Ragged
from personalizer.situation import Candidate, Reason, Situation

__all__ = ["best_sellers", "categories_of_interest"]

MAX_CATEGORIES: Final = 3
# The shop's own best stand below any category's, however good they are.
OVERALL_SHARE: Final = 0.5


def categories_of_interest(model: Model, situation: Situation) -> list[int]:
    """The categories of the page, the cart and the latest views, in this order, each once."""
    items = [situation.page_item, *reversed(situation.cart), *(viewed.item for viewed in situation.viewed)]
    found = dict.fromkeys(int(model.category_of[item]) for item in items if item != UNKNOWN)
    return [category for category in found if category != UNKNOWN][:MAX_CATEGORIES]


def best_sellers(model: Model, situation: Situation, most: int) -> list[Candidate]:
    """Candidates, best first: at most `most` of each category of interest, then `most` of the shop."""
    categories = categories_of_interest(model, situation)
    found: list[Candidate] = []
    for place, category in enumerate(categories):
        share = (1 - OVERALL_SHARE) / len(categories)
        found += _of_row(model.category_sellers, category, most, 1 - share * (place + 1), share)
    return found + _of_row(model.sellers, 0, most, 0.0, OVERALL_SHARE)


def _of_row(sellers: Ragged, row: int, most: int, floor: float, span: float) -> list[Candidate]:
    items, scores = sellers.row(row)
    pairs = zip(items[:most].tolist(), scores[:most].tolist(), strict=True)
    return [Candidate(item, floor + span * score, Reason.BEST_SELLER) for item, score in pairs]
