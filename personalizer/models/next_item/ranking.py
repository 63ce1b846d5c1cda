"""One visit ranked, from its items to the list: the compiled way through all parts."""

from typing import Final, NamedTuple

import numpy as np
from numba import types
from numpy.typing import NDArray

from personalizer.models.next_item.calibration import calibration_type, to_probabilities
from personalizer.models.next_item.compiled import array_of, entry, inner, type_of
from personalizer.models.next_item.evidence import (
    SESSIONS,
    Scratch,
    blend,
    clear,
    gather,
    knobs_type,
    new_scratch,
    related_type,
    sessions_type,
)
from personalizer.models.next_item.features import CANDIDATES, FEATURES, features, items_type
from personalizer.models.next_item.index import strongest
from personalizer.models.next_item.trees import Bench, new_bench, score, trees_type
from personalizer.models.next_item.visit import ALIKE, NEARBY, POPULAR, SEEN

__all__ = ["MOST", "Room", "new_room", "rank"]

MOST: Final = 200  # items of an answer, at most


class Found(NamedTuple):
    """Where an answer is written; all of shape (MOST,)."""

    items: NDArray[np.int32]
    probability: NDArray[np.float32]
    because: NDArray[np.int32]
    source: NDArray[np.uint8]


class Room(NamedTuple):
    """Room of one thread for one answer at a time."""

    scratch: Scratch
    rows: NDArray[np.float32]
    bench: Bench
    values: NDArray[np.float32]
    scores: NDArray[np.float32]
    order: NDArray[np.int64]
    found: Found


def new_room(n_items: int) -> Room:
    """Room for a shop of so many items."""
    found = Found(np.zeros(MOST, np.int32), np.zeros(MOST, np.float32), np.zeros(MOST, np.int32), np.zeros(MOST, np.uint8))
    rows = np.zeros((CANDIDATES, len(FEATURES)), np.float32)
    values, scores = np.zeros(CANDIDATES, np.float32), np.zeros(CANDIDATES, np.float32)
    return Room(
        new_scratch(n_items), rows, new_bench(len(FEATURES)), values, scores, np.zeros(CANDIDATES, np.int64), found
    )  # fmt: skip


@inner
def _score_all(items, trees, distinct, size, room):  # type: ignore[no-untyped-def]
    """Scores of the candidates, best first, into room.scores, and the places that they had into room.order."""
    scratch = room.scratch
    if len(trees.leaves):
        features(items, scratch, distinct, size, room.rows)
        score(trees, room.rows, size, room.bench, room.values)
    else:
        for place in range(size):
            room.values[place] = np.log(max(scratch.keys[scratch.kept[place]], np.float32(1e-9)))
    for place in range(size):
        value, where = room.values[place], place
        while where and room.scores[where - 1] < value:
            room.scores[where], room.order[where] = room.scores[where - 1], room.order[where - 1]
            where -= 1
        room.scores[where], room.order[where] = value, place


@inner
def _write(scratch, found, place, slot, distinct, probability):  # type: ignore[no-untyped-def]
    found.items[place], found.probability[place] = scratch.items[slot], probability
    because = scratch.because[slot]
    if slot < distinct and because < 0:
        because = slot
    found.because[place] = scratch.items[because] if because >= 0 else -1
    found.source[place] = SEEN if slot < distinct else (ALIKE if scratch.sums[slot, SESSIONS] > 0 else NEARBY)


@entry(
    lambda: (
        sessions_type(), related_type(), items_type(), knobs_type(), trees_type(), calibration_type(),
        array_of("i4"), array_of("u1"), array_of("i4"), type_of(new_room(1)), types.int64,
    )
)  # fmt: skip
def rank(  # type: ignore[no-untyped-def]
    sessions, related, items, knobs, trees, calibration, visit, kinds, counts, room, most
):
    """The answer to a visit (see Visit) into room.found; answers its length, `most` at most."""
    scratch, found = room.scratch, room.found
    distinct, used = gather(sessions, related, knobs, visit, kinds, counts, scratch)
    blend(knobs, distinct, used, scratch)
    size = strongest(scratch.keys, scratch.items, used, max(most, CANDIDATES), scratch.kept)
    scored = min(size, CANDIDATES)
    least = np.float32(1)
    if scored:
        _score_all(items, trees, distinct, scored, room)
        to_probabilities(calibration, room.scores, scored)
        least = room.scores[scored - 1]
    for place in range(min(scored, most)):
        _write(scratch, found, place, scratch.kept[room.order[place]], distinct, room.scores[place])
    least = min(least, np.float32(calibration.tail)) if scored else least
    for place in range(scored, min(size, most)):
        _write(scratch, found, place, scratch.kept[place], distinct, least)
    size = _fill(items, scratch, found, min(size, most), most, least)
    clear(scratch, used)
    return size


@inner
def _fill(items, scratch, found, size, most, least):  # type: ignore[no-untyped-def]
    """Best sellers that nothing else speaks for, behind what there is. Answers how many there are then."""
    for place in range(len(items.popular)):
        item = items.popular[place]
        if size < most and scratch.slot[item] < 0:
            least = min(least, items.popular_share[place])
            found.items[size], found.probability[size], found.because[size], found.source[size] = item, least, -1, POPULAR
            size += 1
    return size
