"""What visits like this one went on to: the model of next items, or what is looked at together where there is none yet."""

from typing import Final

import numpy as np

from personalizer.models.next_item import SOURCES, Visit
from personalizer.offers.candidates.together import viewed_together
from personalizer.offers.insight import Insight
from personalizer.offers.situation import Candidates, Reason, Situation

__all__ = ["next_items", "visit_of"]

MOST: Final = 60
MOST_VIEWED: Final = 20
SAME_VISIT_S: Final = 2 * 3600.0  # before the newest view; what is older is another story
VIEW, CART = 0, 1
# Best sellers have a source of their own, and so has what was seen already.
_HEARD: Final = np.array([source not in ("popular", "seen") for source in SOURCES])


def visit_of(situation: Situation) -> Visit | None:
    """The visit as the model takes it, oldest first and the page's item last; None when nothing is known of it."""
    newest = situation.viewed[0].age_s if situation.viewed else 0.0
    views = {
        viewed.item: viewed.views
        for viewed in reversed(situation.viewed[:MOST_VIEWED])
        if viewed.age_s - newest <= SAME_VISIT_S
    }
    page = situation.page_item
    if page >= 0 and next(reversed(views), None) != page:
        # The page is being looked at now, whether its view has come in or not.
        views[page] = views.pop(page, 0) + 1
    carted = [] if situation.left else [item for item in situation.cart if item not in views]
    items = [*carted, *views]
    if not items:
        return None
    kinds = [CART] * len(carted) + [VIEW] * len(views)
    return Visit.of(items, kinds, [0] * len(carted) + list(views.values()))


def next_items(known: Insight, situation: Situation) -> list[Candidates]:
    """Strength is the calibrated probability that it is the next item; what the visit had already is left to others."""
    model = known.model.next_item
    if model is None:
        return viewed_together(known, situation)
    visit = visit_of(situation)
    if visit is None:
        return []
    ranked = model.rank(visit, MOST, situation.now_s)
    (heard,) = _HEARD[ranked.source].nonzero()
    items, strengths, because = (part[heard].tolist() for part in (ranked.items, ranked.probability, ranked.because))
    return [Candidates(Reason.NEXT_ITEM, items, strengths, because)]
