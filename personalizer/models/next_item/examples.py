"""Examples to learn ranking from: each moment of a session, what might have come next, and what did."""

from typing import NamedTuple

import numpy as np
from numba import types
from numpy.typing import NDArray

from personalizer.models.behaviour import VIEW, Behaviour
from personalizer.models.next_item.base import Base
from personalizer.models.next_item.compiled import array_of, entry, inner, still
from personalizer.models.next_item.evidence import (
    Knobs,
    blend,
    clear,
    gather,
    knobs_type,
    new_scratch,
    related_type,
    scratch_type,
    sessions_type,
)
from personalizer.models.next_item.features import FEATURES, features, items_type
from personalizer.models.next_item.index import strongest

__all__ = ["Examples", "Moments", "examples", "moments", "places"]


class Moments(NamedTuple):
    """Moments in sessions: what was clicked before (events begin:at) and what was next; all int64, of shape (n,)."""

    begin: NDArray[np.int64]
    at: NDArray[np.int64]

    def __bool__(self) -> bool:
        return bool(len(self.at))

    def some(self, most: int, seed: int) -> "Moments":
        """At most that many, drawn evenly, in the order of time."""
        if len(self.at) <= most:
            return self
        drawn = np.sort(np.random.default_rng(seed).choice(len(self.at), most, replace=False))
        return Moments(self.begin[drawn], self.at[drawn])


class Examples(NamedTuple):
    """Candidates of moments that hold what came next, and drawn others.

    rows: float32 (n, features), best blend first. was_next: uint8 (n,). sizes: int32 (moments,), candidates of each moment.
    """

    rows: NDArray[np.float32]
    was_next: NDArray[np.uint8]
    sizes: NDArray[np.int32]


def moments(behaviour: Behaviour) -> Moments:
    """Every view but a session's first event; of a log without views every event but the first."""
    begin = np.repeat(behaviour.starts[:-1], np.diff(behaviour.starts))
    at = np.arange(len(behaviour.items))
    wanted = (behaviour.kinds == VIEW) if (behaviour.kinds == VIEW).any() else np.ones(len(at), np.bool_)
    chosen = (at > begin) & wanted
    return Moments(begin[chosen], at[chosen])


def places(base: Base, knobs: Knobs, behaviour: Behaviour, asked: Moments, most: int) -> NDArray[np.int32]:
    """The place, from 0, that the blend gives to what came next; `most` where it is not among so many. int32 (moments,)."""
    found = np.empty(len(asked.at), np.int32)
    nothing = np.empty((0, len(FEATURES)), np.float32)
    _examples(
        *base, knobs, still(behaviour.items), still(behaviour.kinds), *map(still, asked), most, 0.0, 0,
        new_scratch(base.n_items), nothing, np.empty(0, np.uint8), found,
    )  # fmt: skip
    return found


def examples(
    base: Base, knobs: Knobs, behaviour: Behaviour, asked: Moments, candidates: int, share: float, seed: int
) -> Examples:  # fmt: skip
    """What the trees learn from. share: of the candidates that were not next, evenly drawn.

    1 keeps all, and the moments at which what came next is no candidate as well: so one measures.
    """
    room = int(len(asked.at) * (candidates * share + 1 + 4 * np.sqrt(candidates * share * (1 - share)))) + candidates
    rows, was_next = np.empty((room, len(FEATURES)), np.float32), np.zeros(room, np.uint8)
    sizes = np.zeros(len(asked.at), np.int32)
    used = _examples(
        *base, knobs, still(behaviour.items), still(behaviour.kinds), *map(still, asked), candidates, share,
        seed, new_scratch(base.n_items), rows, was_next, sizes,
    )  # fmt: skip
    return Examples(rows[:used], was_next[:used], sizes)


@inner
def _listed(sessions, related, knobs, items, kinds, begin, at, most, room):  # type: ignore[no-untyped-def]
    """The candidates at one moment into room.kept; answers (distinct, used, size). clear() must follow."""
    counts = np.zeros(at - begin, np.int32)
    for place in range(begin, at):
        counts[place - begin] = 1 if kinds[place] == 0 else 0
    distinct, used = gather(sessions, related, knobs, items[begin:at], kinds[begin:at], counts, room)
    blend(knobs, distinct, used, room)
    return distinct, used, strongest(room.keys, room.items, used, most, room.kept)


@inner
def _drawn(state):  # type: ignore[no-untyped-def]
    """The next number in [0, 1) and the state after it (xorshift64*)."""
    state ^= state >> np.uint64(12)
    state ^= state << np.uint64(25)
    state ^= state >> np.uint64(27)
    return np.float64((state * np.uint64(2685821657736338717)) >> np.uint64(11)) / 9007199254740992.0, state


@entry(
    lambda: (
        sessions_type(), related_type(), items_type(), knobs_type(), array_of("i4"), array_of("u1"), array_of("i8"),
        array_of("i8"), types.int64, types.float64, types.int64, scratch_type(), array_of("f4", 2, changed=True),
        array_of("u1", changed=True), array_of("i4", changed=True),
    )
)  # fmt: skip
def _examples(  # type: ignore[no-untyped-def]
    sessions, related, goods, knobs, items, kinds, begins, ats, candidates, share, seed, room, rows, was_next, sizes
):
    # With no room for rows it tells the place of what came next instead of how many rows there are.
    only_places = len(rows) == 0
    block = np.empty((candidates, rows.shape[1]), np.float32)
    state = np.uint64(seed) * np.uint64(2) + np.uint64(88172645463325253)
    used_rows = 0
    for number in range(len(ats)):
        begin, at = begins[number], ats[number]
        distinct, used, size = _listed(sessions, related, knobs, items, kinds, begin, at, candidates, room)
        found = -1
        for place in range(size):
            if room.items[room.kept[place]] == items[at]:
                found = place
        if only_places:
            sizes[number] = found if found >= 0 else candidates
        elif (found >= 0 or share >= 1) and used_rows + size <= len(rows):
            features(goods, room, distinct, size, block)
            for place in range(size):
                drawn, state = _drawn(state)
                if place == found or drawn < share:
                    rows[used_rows] = block[place]
                    was_next[used_rows] = place == found
                    used_rows += 1
                    sizes[number] += 1
        clear(room, used)
    return used_rows
