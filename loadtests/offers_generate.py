"""Shops that never were: sessions of any number over items of any number, with what real logs have and models live on.

Popularity falls as Zipf's law has it, over clusters of items and within them; sessions stay in a cluster, come back to what
they saw, follow planted affinities from an item to its partner in another cluster, and now and then go elsewhere. A
twentieth of the items is new: nobody can have clicked them in the first nine tenths of the time. Some clicks are followed by
a cart add, some of these by a purchase. Pure, and fast: a second for a million clicks or so.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from personalizer.models.behaviour import CART, PURCHASE, VIEW, Behaviour

__all__ = ["Shop", "generated"]

CLUSTER: Final = 20  # items
CLUSTERS_A_CATEGORY: Final = 50
LONGEST: Final = 100  # clicks of a session
DAYS: Final = 90
DAY_S: Final = 86_400
BEGIN_S: Final = 1_760_000_000
PAUSE_S: Final = 40.0  # between clicks, the mean
AGAIN, PARTNER, ELSEWHERE = 0.2, 0.15, 0.1  # shares of clicks; the others are within the cluster
CARTS, PURCHASES = 0.06, 0.3  # of clicks; of cart adds
NEW_ITEMS, NEW_SINCE = 0.05, 0.9
MEAN_CLICKS: Final = 4.0

Ints = NDArray[np.int32]


@dataclass(frozen=True)
class Shop:
    """behaviour and category_of as models take them; partner_of: the planted affinity of each item."""

    behaviour: Behaviour
    category_of: Ints
    partner_of: Ints
    n_items: int


def generated(sessions: int, items: int, seed: int, *, drawn: int | None = None) -> Shop:
    """A shop with so many sessions and items; the same numbers and seed give the same.

    drawn: another seed for the sessions alone, for visits to the same shop. ValueError for fewer than 40 items.
    """
    if items < 2 * CLUSTER or sessions < 1:
        raise ValueError(f"expected a session and {2 * CLUSTER} items or more, got {sessions} and {items}")
    plan = np.random.default_rng(seed)
    place_of = plan.permutation(items).astype(np.int32)  # popular items should not be those with low numbers
    partner_of = _partners(items, plan)
    rng = np.random.default_rng([seed, 1 if drawn is None else drawn])
    lengths = np.minimum(rng.geometric(1 / MEAN_CLICKS, sessions), LONGEST).astype(np.int32)
    lengths[::-1].sort()  # the longest first: those that go on are always the first ones
    new = np.arange(items) % CLUSTER >= CLUSTER * (1 - NEW_ITEMS)
    ended = rng.random(sessions)  # of the period
    clicked = _clicks(lengths, items, partner_of, new, ended, rng)
    behaviour = _told(lengths, clicked, ended, rng, place_of)
    category_of = np.empty(items, np.int32)
    category_of[place_of] = np.arange(items) // (CLUSTER * CLUSTERS_A_CATEGORY)
    partners = np.empty(items, np.int32)
    partners[place_of] = place_of[partner_of]
    return Shop(behaviour, category_of, partners, items)


def _partners(items: int, rng: np.random.Generator) -> Ints:
    """For each item one at the same place in another cluster: goods that go together are about equally popular."""
    shift = CLUSTER * int(rng.integers(1, max(2, items // CLUSTER)))
    return ((np.arange(items) + shift) % items).astype(np.int32)


class _Zipf:
    """Numbers below `count`, the low ones often: P(k) ~ 1/(k + 1)^power."""

    def __init__(self, count: int, power: float) -> None:
        weights = np.arange(1, count + 1) ** -power
        self._steps = np.cumsum(weights) / weights.sum()

    def __call__(self, size: int, rng: np.random.Generator) -> Ints:
        return np.minimum(np.searchsorted(self._steps, rng.random(size)), len(self._steps) - 1).astype(np.int32)


def _clicks(
    lengths: Ints, items: int, partner_of: Ints, new: NDArray[np.bool_], ended: NDArray[np.float64], rng: np.random.Generator
) -> list[Ints]:
    """For each place in a session the items clicked there by the sessions that are so long."""
    cluster, within = _Zipf(items // CLUSTER, 0.9), _Zipf(CLUSTER, 0.8)

    def inside(clusters: Ints) -> Ints:
        return clusters * CLUSTER + within(len(clusters), rng)

    def there(found: Ints, at: NDArray[np.float64]) -> Ints:
        """New items are not clicked before they were there: then it is the first of their cluster."""
        return np.where(new[found] & (at < NEW_SINCE), found - found % CLUSTER, found).astype(np.int32)

    clicked = [there(inside(cluster(len(lengths), rng)), ended)]
    while count := int(np.count_nonzero(lengths > len(clicked))):
        before, chance = clicked[-1][:count], rng.random(count)
        found = inside(before // CLUSTER)
        elsewhere = np.flatnonzero(chance < AGAIN + PARTNER + ELSEWHERE)
        found[elsewhere] = inside(cluster(len(elsewhere), rng))
        found = np.where(chance < AGAIN + PARTNER, partner_of[before], found)
        found = np.where(chance < AGAIN, before, found)
        clicked.append(there(found, ended[:count]))
    return clicked


def _told(
    lengths: Ints, clicked: list[Ints], ended: NDArray[np.float64], rng: np.random.Generator, place_of: Ints
) -> Behaviour:
    """The clicks session by session, in the order of sessions' ends, with carts and purchases after some of them."""
    order = np.argsort(ended, kind="stable")
    starts = np.concatenate(([0], np.cumsum(lengths[order]))).astype(np.int64)
    first = np.empty(len(lengths), np.int64)
    first[order] = starts[:-1]
    views = np.empty(starts[-1], np.int32)
    for place, items in enumerate(clicked):
        views[first[: len(items)] + place] = items
    carts = rng.random(len(views)) < CARTS
    bought = carts & (rng.random(len(views)) < PURCHASES)
    rows = 1 + carts.astype(np.int64) + bought
    where = np.concatenate(([0], np.cumsum(rows)))
    kinds = np.full(where[-1], VIEW, np.uint8)
    kinds[where[:-1][carts] + 1] = CART
    kinds[where[:-1][bought] + 2] = PURCHASE
    items = place_of[np.repeat(views, rows)]
    starts = where[starts]
    ends = BEGIN_S + (ended[order] * DAYS * DAY_S).astype(np.int64)
    return Behaviour(starts, items, kinds, _times(starts, ends, rng))


def _times(starts: NDArray[np.int64], ends: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Instants back from the sessions' ends, with pauses between."""
    passed = np.cumsum(rng.exponential(PAUSE_S, int(starts[-1])).astype(np.int32), dtype=np.int64)
    passed -= np.repeat(passed[starts[1:] - 1], np.diff(starts))
    passed += np.repeat(ends, np.diff(starts))
    return passed
