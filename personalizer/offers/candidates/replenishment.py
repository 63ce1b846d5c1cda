"""What was bought some time ago and is used up about now."""

import math
from typing import Final

from personalizer.offers.insight import Insight
from personalizer.offers.situation import Candidates, Reason, Situation

__all__ = ["EARLIEST", "due", "rebuy_s", "replenishment"]

DAY_S: Final = 24 * 3600.0
# The catalogue says that it is used up, and nobody came back for it yet: how long it lasts is a guess.
CONSUMABLE_S: Final = 30 * DAY_S
EARLIEST: Final = 0.7  # of the interval; before that it is not offered again
SPREAD: Final = 0.4  # of the logarithm of how late people are


def rebuy_s(known: Insight, item: int) -> float | None:
    """Seconds after which this item is bought again, None where it is not."""
    habits = known.model.habits
    if habits is not None and (interval := float(habits.rebuy_s[item])) > 0:
        return interval
    return CONSUMABLE_S if known.wares.consumable[item] == 1 else None


def due(interval_s: float, age_s: float) -> float:
    """How due it is, in [0, 1]: exp(-ln(age / interval)² / 2σ²), 1 just at the interval, 0 before 0.7 of it.

    Intervals between purchases of one person spread like a log-normal, so being twice as late is as far off as half.
    """
    if age_s < EARLIEST * interval_s:
        return 0.0
    return math.exp(-(math.log(age_s / interval_s) ** 2) / (2 * SPREAD**2))


def replenishment(known: Insight, situation: Situation) -> list[Candidates]:
    """What is due again, of what this visitor bought."""
    found = {}
    for item, age_s in situation.bought.items():
        interval_s = rebuy_s(known, item)
        if interval_s is not None and (strength := due(interval_s, age_s)) > 0:
            found[item] = strength
    return [Candidates(Reason.REPLENISHMENT, list(found), list(found.values()))] if found else []
