"""From offers shown and answered to Responses. Pure."""

from typing import Final

import numpy as np

from personalizer.feedback.position import Floats, Shown, evened, examinations
from personalizer.feedback.rates import LookedAt, fit, two_way
from personalizer.feedback.responses import MAX_RANK, PRIOR_CONVERSION, Responses
from personalizer.models.model import sorted_names

__all__ = ["RATE_BOUND", "learn"]

# An offer of propensity 1/3 counts three times; a rarer one not more. Unbounded weights are unbiased and of no use, because
# a few lucky clicks decide (Ionides 2008). In simulation 3 cost the least over small and large logs.
RATE_BOUND: Final = 3.0


def learn(shown: Shown, clicked: Floats, bought: Floats, n_items: int) -> Responses:
    """Learn from what was shown; clicked, bought: offers of each placement and source, of shape (placements, sources).

    The names in `shown` come sorted by their bytes.
    """
    looked_at = examinations(shown)
    weight = np.minimum(shown.weight, RATE_BOUND)
    weight = evened(weight, shown.shown)
    place = np.minimum(shown.rank, MAX_RANK) - 1
    seen = LookedAt(
        shown.placement, shown.source, shown.bin, shown.item,
        shown.shown * weight * looked_at[shown.placement, place], shown.clicked * weight,
    )  # fmt: skip
    found = fit(seen, len(shown.placements), len(shown.sources), n_items)
    return Responses(
        placements=sorted_names(shown.placements),
        sources=sorted_names(shown.sources),
        rates=found.rates.astype(np.float32),
        conversion=two_way(bought, clicked, PRIOR_CONVERSION).astype(np.float32),
        curve=found.curve.astype(np.float32),
        examination=looked_at.astype(np.float32),
        factor=found.factor.astype(np.float32),
    )
