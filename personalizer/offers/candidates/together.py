"""Items that go together with what the visitor is busy with: the item on the page, the cart, purchases, the latest views."""

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from personalizer.models.model import UNKNOWN, Ragged
from personalizer.offers.insight import Insight
from personalizer.offers.situation import Candidates, Reason, Situation

__all__ = ["Seed", "bought_together", "seeds", "viewed_together"]

PAGE_WEIGHT: Final = 1.0
CART_WEIGHT: Final = 0.8
LEFT_CART_WEIGHT: Final = 0.4  # of a cart that an earlier visit left: it may never be bought
BOUGHT_WEIGHT: Final = 0.6
VIEW_WEIGHT: Final = 0.5
VIEW_STEP: Final = 0.8  # each view further back counts that much of the one after it
VIEW_HALF_LIFE_S: Final = 3600.0
BOUGHT_HALF_LIFE_S: Final = 7 * 24 * 3600.0
LEAST_WEIGHT: Final = 0.02
# Who only looked at a lamp does not need the bulb yet.
ONLY_VIEWED: Final = 0.4
MAX_CART_SEEDS: Final = 8
MAX_BOUGHT_SEEDS: Final = 3
MAX_VIEW_SEEDS: Final = 4
NEIGHBOURS: Final = 15  # of one seed; rows come best first


class Seed(Struct, frozen=True, gc=False):
    """An item from which to look for neighbours. weight in (0, 1]."""

    item: int
    weight: float


def seeds(situation: Situation) -> list[Seed]:
    """The items to start from, each once: the page, the cart, what was bought lately, what was looked at lately."""
    found: dict[int, float] = {}
    if situation.page_item >= 0:
        found[situation.page_item] = PAGE_WEIGHT
    for item in situation.cart[-MAX_CART_SEEDS:]:
        found.setdefault(item, LEFT_CART_WEIGHT if situation.left else CART_WEIGHT)
    for item, age_s in list(situation.bought.items())[:MAX_BOUGHT_SEEDS]:
        found.setdefault(item, max(LEAST_WEIGHT, BOUGHT_WEIGHT * 0.5 ** (age_s / BOUGHT_HALF_LIFE_S)))
    for place, viewed in enumerate(situation.viewed[:MAX_VIEW_SEEDS]):
        recency = VIEW_STEP**place * 0.5 ** (viewed.age_s / VIEW_HALF_LIFE_S)
        found.setdefault(viewed.item, max(LEAST_WEIGHT, VIEW_WEIGHT * recency))
    return [Seed(item, weight) for item, weight in found.items()]


def bought_together(known: Insight, situation: Situation) -> list[Candidates]:
    """What others bought along with any of the seeds; what was only looked at counts less than what is there to stay."""
    if not len(known.model.bought.items):  # a shop that tells of no purchases
        return []
    settled = {situation.page_item, *situation.cart, *situation.bought}
    start = [seed if seed.item in settled else Seed(seed.item, seed.weight * ONLY_VIEWED) for seed in seeds(situation)]
    return _related(known.model.bought, start, Reason.BOUGHT_TOGETHER)


def viewed_together(known: Insight, situation: Situation) -> list[Candidates]:
    """What others looked at along with them, alternatives mostly: not along with what is in the cart or bought already."""
    settled = {*situation.cart, *situation.bought}
    start = [seed for seed in seeds(situation) if seed.item not in settled or seed.item == situation.page_item]
    return _related(known.model.viewed, start, Reason.VIEWED_TOGETHER)


def _related(relation: Ragged, start: Iterable[Seed], reason: Reason) -> list[Candidates]:
    """Evidence of several seeds adds up as 1 - Π(1 - weight · similarity); `because` is the seed that says most."""
    missed, strongest, because = dict[int, float](), dict[int, float](), dict[int, int]()
    for seed in start:
        items, scores = relation.row(seed.item)
        for item, similarity in zip(items[:NEIGHBOURS].tolist(), scores[:NEIGHBOURS].tolist(), strict=True):
            strength = min(seed.weight * similarity, 0.999)
            missed[item] = missed.get(item, 1.0) * (1 - strength)
            if strength > strongest.get(item, 0.0):
                strongest[item], because[item] = strength, seed.item
    if not missed:
        return []
    led = [because.get(item, UNKNOWN) for item in missed]
    return [Candidates(reason, list(missed), [1 - each for each in missed.values()], led)]
