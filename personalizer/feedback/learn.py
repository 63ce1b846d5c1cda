"""From offers shown and answered to Responses. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from personalizer.feedback.position import Floats, Shown, evened, examinations
from personalizer.feedback.rates import LookedAt, fit, two_way
from personalizer.feedback.responses import BINS, MAX_RANK, PRIOR_CONVERSION, PRIOR_RATE, Responses
from personalizer.models.model import sorted_names

__all__ = ["PLAIN", "RATE_BOUND", "Assumed", "learn"]

# An offer of propensity 1/3 counts three times; a rarer one not more. Unbounded weights are unbiased and of no use, because
# a few lucky clicks decide (Ionides 2008). In simulation 3 cost the least over small and large logs.
RATE_BOUND: Final = 3.0


@dataclass(frozen=True)
class Assumed:
    """What is held for true while there are few clicks. rates: by source, PRIOR_RATE for others.

    curved: the sources whose offers are ranked by the model's probability, None for all. Others' rates hold for whatever
    probability the model has for their offers.
    """

    rates: Mapping[str, float] = field(default_factory=dict)
    curved: frozenset[str] | None = None


PLAIN: Final = Assumed()


def learn(shown: Shown, clicked: Floats, bought: Floats, n_items: int, assumed: Assumed = PLAIN) -> Responses:
    """Learn from what was shown; clicked, bought: offers of each placement and source, of shape (placements, sources).

    The names in `shown` come sorted by their bytes.
    """
    usual = np.array([assumed.rates.get(source, PRIOR_RATE) for source in shown.sources])
    curved = np.array([assumed.curved is None or source in assumed.curved for source in shown.sources], np.bool_)
    looked_at = examinations(shown)
    weight = np.minimum(shown.weight, RATE_BOUND)
    weight = evened(weight, shown.shown)
    place = np.minimum(shown.rank, MAX_RANK) - 1
    seen = LookedAt(
        shown.placement, shown.source, np.where(curved[shown.source], shown.bin, BINS), shown.item,
        shown.shown * weight * looked_at[shown.placement, place], shown.clicked * weight,
    )  # fmt: skip
    found = fit(seen, len(shown.placements), usual, n_items)
    return Responses(
        placements=sorted_names(shown.placements),
        sources=sorted_names(shown.sources),
        rates=found.rates.astype(np.float32),
        conversion=two_way(bought, clicked, PRIOR_CONVERSION).astype(np.float32),
        curve=found.curve.astype(np.float32),
        examination=looked_at.astype(np.float32),
        factor=found.factor.astype(np.float32),
    )
