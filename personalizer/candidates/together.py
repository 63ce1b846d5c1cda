"""Items that go together with what the visitor is busy with: the item on the page, the cart, what was viewed lately."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from personalizer.models.model import Items, Model, Scores
from personalizer.situation import Candidate, Reason, Situation

__all__ = ["bought_weight", "seeds", "together"]

PAGE_WEIGHT: Final = 1.0
CART_WEIGHT: Final = 0.8
VIEW_WEIGHT: Final = 0.6
VIEW_STEP: Final = 0.85  # each view further back counts that much of the one after it
VIEW_HALF_LIFE_S: Final = 3600.0
MAX_CART_SEEDS: Final = 10
MAX_VIEW_SEEDS: Final = 10
# Near the purchase people want what completes it; elsewhere alternatives are welcome too.
NEAR_PURCHASE: Final = ("cart", "checkout", "product")
LESSER: Final = 0.3


@dataclass(frozen=True)
class Seed:
    """An item from which to look for neighbours. weight in (0, 1]."""

    item: int
    weight: float


@dataclass(frozen=True)
class _Evidence:
    """Neighbours of one seed in one relation; strengths in [0, 1)."""

    items: Items
    strengths: Scores
    seed: int
    reason: Reason


def seeds(situation: Situation) -> list[Seed]:
    """The items to start from, each once with its highest weight."""
    found: dict[int, float] = {}
    if situation.page_item >= 0:
        found[situation.page_item] = PAGE_WEIGHT
    for item in situation.cart[-MAX_CART_SEEDS:]:
        found.setdefault(item, CART_WEIGHT)
    for place, viewed in enumerate(situation.viewed[:MAX_VIEW_SEEDS]):
        recency = VIEW_STEP**place * 0.5 ** (viewed.age_s / VIEW_HALF_LIFE_S)
        found.setdefault(viewed.item, max(0.01, VIEW_WEIGHT * recency))
    return [Seed(item, weight) for item, weight in found.items()]


def bought_weight(placement: str) -> tuple[float, float]:
    """How much (bought together, viewed together) counts at this placement."""
    return (1.0, LESSER) if placement.startswith(NEAR_PURCHASE) else (LESSER, 1.0)


def together(model: Model, situation: Situation, most: int) -> list[Candidate]:
    """At most `most` candidates, best first. Evidence from several seeds adds up as 1 - Π(1 - strength)."""
    evidence = _evidence(model, situation)
    if not evidence:
        return []
    items = np.concatenate([part.items for part in evidence])
    strengths = np.minimum(np.concatenate([part.strengths for part in evidence]), 0.999)
    origin = np.repeat(np.arange(len(evidence)), [len(part.items) for part in evidence])
    distinct, group = np.unique(items, return_inverse=True)
    scores = -np.expm1(np.bincount(group, weights=np.log1p(-strengths)))
    best = np.lexsort((distinct, -scores))[:most]
    strongest = _strongest(group, strengths)
    return [
        Candidate(int(distinct[n]), float(scores[n]), source.reason, source.seed)
        for n, source in ((n, evidence[origin[strongest[n]]]) for n in best)
    ]


def _evidence(model: Model, situation: Situation) -> list[_Evidence]:
    bought, viewed = bought_weight(situation.placement)
    relations = ((model.bought, bought, Reason.BOUGHT_TOGETHER), (model.viewed, viewed, Reason.VIEWED_TOGETHER))
    found = []
    for seed in seeds(situation):
        for neighbours, weight, reason in relations:
            items, scores = neighbours.row(seed.item)
            if len(items):
                found.append(_Evidence(items, scores * np.float32(seed.weight * weight), seed.item, reason))
    return found


def _strongest(group: "np.ndarray[tuple[int], np.dtype[np.intp]]", strengths: Scores) -> Items:
    """For each group the position of its strongest evidence."""
    order = np.lexsort((-strengths, group))
    grouped = group[order]
    first = np.concatenate(([True], grouped[1:] != grouped[:-1]))
    return order[first].astype(np.int32)
