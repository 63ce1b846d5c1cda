"""What the trees see of a candidate: shares of what speaks for it, the item, its part in the visit, and the visit itself.

Nothing here depends on the clock: of time only the order counts. Logs whose gaps are not to be believed rank no worse.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from personalizer.models.next_item.compiled import inner, still, type_of
from personalizer.models.next_item.evidence import (
    AFTER,
    ALIKE,
    BACKWARD,
    CHANNELS,
    COSINE,
    FORWARD,
    FORWARD_LAST,
    OF_LAST,
    OF_MANY,
    PLAIN,
    TWO_STEPS,
)

__all__ = ["CANDIDATES", "FEATURES", "Items", "features", "items_type"]

FEATURES: Final = (
    # what speaks for it, as shares of what there is
    *CHANNELS,
    "blend", "blend_of_best", "place", "alike_of_best", "forward_of_best", "cosine_of_best", "last_of_best",
    # the item
    "clicks", "trend", "idle", "follows_itself",
    # its part in the visit
    "seen_place", "seen_views", "seen_kind", "same_category", "category_share", "like_last", "like_visit",
    # the visit
    "distinct", "views", "views_of_last", "kind_of_last", "matches", "clicks_of_last", "last_follows_itself", "best_blend",
)  # fmt: skip
CANDIDATES: Final = 100  # that are scored
NOT_SEEN: Final = 99


class Items(NamedTuple):
    """What is known of each item; all but embedding and popular of shape (items,).

    clicks: float32, log(1 + clicks). trend: float32, log of recent clicks over those expected from all. idle: float32, age
    of its newest session, 1 being as old as the index. follows_itself: float32, repeats by session that holds it.
    category: int32, UNKNOWN none. embedding: float32 (items, d), rows of length 1 or 0. popular: int32, popular_share:
    float32, best sellers of late, best first, and their share of the newest clicks.
    """

    clicks: NDArray[np.float32]
    trend: NDArray[np.float32]
    idle: NDArray[np.float32]
    follows_itself: NDArray[np.float32]
    category: NDArray[np.int32]
    embedding: NDArray[np.float32]
    popular: NDArray[np.int32]
    popular_share: NDArray[np.float32]

    def sound(self, n_items: int) -> bool:
        """True when no reader can step outside of an array, and nothing in them is no number."""
        floats = (self.clicks, self.trend, self.idle, self.follows_itself)
        return bool(
            all(array.shape == (n_items,) and np.isfinite(array).all() for array in floats)
            and self.category.shape == (n_items,)
            and self.embedding.ndim == 2
            and len(self.embedding) == n_items
            and np.isfinite(self.embedding).all()
            and self.popular.shape == self.popular_share.shape
            and ((self.popular >= 0) & (self.popular < n_items)).all()
            and ((self.popular_share >= 0) & (self.popular_share <= 1)).all()
        )


def items_type() -> object:
    floats, ints = still(np.zeros(0, "f4")), still(np.zeros(0, "i4"))
    return type_of(Items(floats, floats, floats, floats, ints, still(np.zeros((0, 0), "f4")), ints, floats))


BY_MASS: Final = (ALIKE, AFTER, PLAIN, OF_LAST, OF_MANY)
BY_WEIGHT: Final = (FORWARD, BACKWARD, COSINE, TWO_STEPS)
OF_BEST: Final = (ALIKE, FORWARD, COSINE, FORWARD_LAST)
BLEND: Final = len(CHANNELS)
ITEM: Final = BLEND + 3 + len(OF_BEST)
PART: Final = ITEM + 4
VISIT: Final = PART + 7


@inner
def features(goods, room, distinct, size, out):  # type: ignore[no-untyped-def]
    """The features of the candidates in room.kept[:size], best blend first, into `out`, float32 (size, features)."""
    views, mean = _visit(goods, room, distinct)
    for place in range(size):
        row = out[place]
        slot = room.kept[place]
        _evidence(room, slot, place, row)
        item = room.items[slot]
        row[ITEM], row[ITEM + 1], row[ITEM + 2] = goods.clicks[item], goods.trend[item], goods.idle[item]
        row[ITEM + 3] = goods.follows_itself[item]
        _part_in_visit(goods, room, slot, distinct, mean, row)
        _context(goods, room, distinct, views, row)
    for number in range(len(OF_BEST)):
        best = np.float32(1e-9)
        for place in range(size):
            best = max(best, out[place, OF_BEST[number]])
        for place in range(size):
            out[place, BLEND + 3 + number] = out[place, OF_BEST[number]] / best


@inner
def _visit(goods, room, distinct):  # type: ignore[no-untyped-def]
    views = 0
    mean = np.zeros(goods.embedding.shape[1], np.float32)
    for slot in range(distinct):
        views += room.counts[slot]
        one = goods.embedding[room.items[slot]]
        for at in range(len(mean)):
            mean[at] += room.weights[slot] * one[at]
    length = np.sqrt((mean * mean).sum())
    if length > 0:
        mean /= length
    return views, mean


@inner
def _evidence(room, slot, place, row):  # type: ignore[no-untyped-def]
    alike, weight = max(room.mass[0], np.float32(1e-9)), max(room.mass[2], np.float32(1e-9))
    row[:BLEND] = room.sums[slot]
    for channel in BY_MASS:
        row[channel] /= alike
    for channel in BY_WEIGHT:
        row[channel] /= weight
    best = max(room.keys[room.kept[0]], np.float32(1e-9))
    row[BLEND], row[BLEND + 1], row[BLEND + 2] = room.keys[slot], room.keys[slot] / best, place


@inner
def _part_in_visit(goods, room, slot, distinct, mean, row):  # type: ignore[no-untyped-def]
    item = room.items[slot]
    seen = slot < distinct
    row[PART] = slot if seen else NOT_SEEN
    row[PART + 1] = room.counts[slot] if seen else 0
    row[PART + 2] = room.kinds[slot] if seen else 0
    row[PART + 3], row[PART + 4] = _category(goods, room, goods.category[item], distinct)
    like_last, like_visit = np.float32(0), np.float32(0)
    if distinct:
        one, last_one = goods.embedding[item], goods.embedding[room.items[0]]
        for at in range(len(mean)):
            like_last += one[at] * last_one[at]
            like_visit += one[at] * mean[at]
    row[PART + 5], row[PART + 6] = like_last, like_visit


@inner
def _category(goods, room, category, distinct):  # type: ignore[no-untyped-def]
    """Whether it is the category of the last item, and its share of the visit's items; -1 where nobody knows."""
    if category < 0 or not distinct:
        return np.float32(-1), np.float32(-1)
    same = np.float32(0)
    for other in range(distinct):
        if goods.category[room.items[other]] == category:
            same += 1
    last = goods.category[room.items[0]]
    return np.float32(-1 if last < 0 else (1 if last == category else 0)), same / np.float32(distinct)


@inner
def _context(goods, room, distinct, views, row):  # type: ignore[no-untyped-def]
    row[VISIT], row[VISIT + 1] = distinct, views
    row[VISIT + 4], row[VISIT + 7] = room.mass[1], room.keys[room.kept[0]]
    if distinct:
        row[VISIT + 2], row[VISIT + 3] = room.counts[0], room.kinds[0]
        row[VISIT + 5], row[VISIT + 6] = goods.clicks[room.items[0]], goods.follows_itself[room.items[0]]
    else:
        row[VISIT + 2], row[VISIT + 3], row[VISIT + 5], row[VISIT + 6] = 0, 0, 0, 0
