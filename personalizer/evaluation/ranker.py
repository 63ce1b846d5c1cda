"""What every model can do, whichever it is."""

from typing import Protocol

from personalizer.models.next_item import Ranked, Visit

__all__ = ["Ranker"]


class Ranker(Protocol):
    """Ours, and those it is compared with."""

    def rank(self, visit: Visit, most: int, now_s: int) -> Ranked:
        """At most `most` different items, the likeliest first. Probabilities are NaN where the model claims none."""
