"""Whether a new model may take the place of the one that serves. Pure.

Both are asked for the next items of the same sessions of the last day, which neither was taught, and compared session by
session: a model is refused when it is clearly worse, by size and beyond chance, not when it is a little unlucky.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["CLEARLY", "MIN_SESSIONS", "Trial", "refusal", "shrunk"]

MIN_SESSIONS: Final = 30  # with fewer nothing is clear
CLEARLY: Final = 0.05  # of the mean reciprocal rank; less is not worth a refusal
SIGNIFICANT: Final = 2.58  # standard errors; by chance a model as good is refused once in two hundred times
LEAST_SHARE: Final = 0.5


@dataclass(frozen=True)
class Trial:
    """How well a model foresaw: for each guess the session and the reciprocal rank (0: not in the list), of shape (n,)."""

    sessions: NDArray[np.int64]
    reciprocal_ranks: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.reciprocal_ranks)

    @property
    def mrr(self) -> float:
        return float(self.reciprocal_ranks.mean()) if len(self) else 0.0

    @property
    def hit_rate(self) -> float:
        return float((self.reciprocal_ranks > 0).mean()) if len(self) else 0.0

    def figures(self) -> dict[str, float | int]:
        """As they are written down with the model."""
        return {
            "guesses": len(self),
            "sessions": len(np.unique(self.sessions)),
            "hr@20": round(self.hit_rate, 5),
            "mrr@20": round(self.mrr, 5),
        }


def refusal(new: Trial, old: Trial) -> str:
    """Why `new` must not replace `old`, which were tried on the same guesses; empty when it may.

    The mean of the sessions' summed differences over its standard error: guesses of one session are not independent.
    """
    sessions, place = np.unique(old.sessions, return_inverse=True)
    if len(sessions) < MIN_SESSIONS or not old.mrr:
        return ""
    differences = np.bincount(place, new.reciprocal_ranks - old.reciprocal_ranks)
    error = float(differences.std(ddof=1)) / len(sessions) ** 0.5
    beyond_chance = float(differences.mean()) < -SIGNIFICANT * error
    if not beyond_chance or new.mrr > (1 - CLEARLY) * old.mrr:
        return ""
    return f"MRR@20 on the last day is {new.mrr:.3f} and was {old.mrr:.3f} ({len(new)} guesses in {len(sessions)} sessions)"


def shrunk(new_sessions: int, old_sessions: int) -> str:
    """Why a model of so much less history must not replace the one of before; empty when it may.

    Half of a shop's sessions do not go from one training to the next; what was read of them may.
    """
    if new_sessions >= LEAST_SHARE * old_sessions:
        return ""
    return f"the history holds {new_sessions} sessions and held {old_sessions} at the training before"
