"""A shop whose visitors answer offers by a known law, and a policy that shows what it thinks best first, as serving does.

Examination by rank and attraction of items are planted; the policy knows the attraction but for noise, so good items stand
high; a small share of the lower places is drawn from what would have been next.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from personalizer.feedback.position import Shown
from personalizer.feedback.responses import bin_of

Floats = NDArray[np.float64]
RANKS, POOL = 8, 12
SOURCES = ("next_item", "sellers")


@dataclass(frozen=True)
class World:
    """examination: (RANKS,). attraction: (items,), P(click | looked at) at the usual p_next. power: of p_next in it."""

    examination: Floats
    attraction: Floats
    noise: float = 0.5
    power: float = 0.0
    explored_share: float = 0.05

    def log(self, decisions: int, rng: np.random.Generator) -> dict[str, NDArray[np.generic]]:
        """What was shown and clicked, a row an offer, as columns of equal length."""
        items = np.argsort(rng.random((decisions, len(self.attraction))), axis=1)[:, : RANKS + POOL]
        p_next = np.exp2(rng.normal(-6, 1.5, items.shape)).clip(2**-13, 0.9)
        truth = np.minimum(0.95, self.attraction[items] * (p_next / 0.02) ** self.power)
        thought = np.log(truth) + rng.normal(0, self.noise, items.shape)
        order = np.argsort(-thought, axis=1)
        place, propensity = self._diced(order, rng)
        shown = np.take_along_axis(items, place, 1)
        chance = np.take_along_axis(truth, place, 1) * self.examination
        clicked = rng.random(shown.shape) < chance
        return {
            "item": shown.ravel(),
            "rank": np.tile(np.arange(1, RANKS + 1), decisions),
            "p_next": np.take_along_axis(p_next, place, 1).ravel(),
            "clicked": clicked.ravel(),
            "propensity": propensity.ravel(),
            "believed": np.exp(np.take_along_axis(thought, place, 1)).ravel(),
        }

    def _diced(self, order: NDArray[np.intp], rng: np.random.Generator) -> tuple[NDArray[np.intp], Floats]:
        """As personalizer.offers.exploration does it: the lower half, each place by itself, from a pool of POOL."""
        lower = RANKS - RANKS // 2
        c = self.explored_share * RANKS / lower
        place, propensity = order[:, :RANKS].copy(), np.ones((len(order), RANKS))
        pool = rng.permuted(order[:, RANKS:], axis=1)
        changed = rng.random((len(order), lower)) < c
        place[:, -lower:] = np.where(changed, pool[:, :lower], place[:, -lower:])
        propensity[:, -lower:] = np.where(changed, c / POOL, 1 - c)
        return place, propensity


def shown_of(
    columns: dict[str, NDArray[np.generic]], source: NDArray[np.int64] | None = None, *, believed: bool = False
) -> Shown:
    """The log as learning gets it (a row an offer is a sum of one). believed: with what the policy ranked by."""
    count = len(columns["rank"])
    propensity = np.float64(columns["propensity"])
    bins = bin_of(np.float64(columns["p_next"]))
    belief = bin_of(np.float64(columns["believed"])) if believed else bins
    return Shown(
        ("home",), SOURCES, np.zeros(count, np.int64), np.zeros(count, np.int64) if source is None else source,
        np.int64(columns["item"]), np.int64(columns["rank"]), bins, belief, propensity < 0.5,
        np.ones(count), np.float64(columns["clicked"]), 1 / propensity,
    )  # fmt: skip


def naive_rates(shown: Shown, items: int) -> Floats:
    """Clicks by impressions of each item, as who does not think of ranks would take them."""
    return np.bincount(shown.item, shown.clicked, items) / np.maximum(np.bincount(shown.item, shown.shown, items), 1)
