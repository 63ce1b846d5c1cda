"""What speaks for each item as the next one: sums over the sessions like this visit and over what is near its items.

All of it runs compiled. The visit's distinct items have the first slots, newest first; every other item that anything
speaks for gets a slot when it is first met. Sums lie by slot, so that memory is touched only for items that matter.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from personalizer.models.next_item.compiled import inner, still, type_of
from personalizer.models.next_item.index import Related, Sessions

__all__ = [
    "CHANNELS",
    "LONGEST",
    "Knobs",
    "Scratch",
    "blend",
    "clear",
    "gather",
    "knobs_type",
    "new_scratch",
    "related_type",
    "scratch_type",
    "sessions_type",
]

MOST_DISTINCT: Final = 64  # of a visit's items, the newest; longer visits are mostly machines
MOST_SLOTS: Final = 32_768
FIRST_STEPS: Final = 10
SECOND_STEPS: Final = 20
RELATED_REACH: Final = 10  # newest items of a visit whose related ones count
LONGEST: Final = 50  # distinct items of an indexed session
# The sums kept of an item. *_last: by the item looked at last; *_all: by all of the visit, weighted by place.
CHANNELS: Final = (
    "alike", "alike_after", "alike_plain", "alike_sessions", "alike_best", "alike_last", "alike_many", "newest",
    "forward_last", "backward_last", "cosine_last", "forward_all", "backward_all", "cosine_all", "two_steps",
    "adjacent_last",
)  # fmt: skip
ALIKE, AFTER, PLAIN, SESSIONS, BEST, OF_LAST, OF_MANY, NEWEST = range(8)
FORWARD_LAST, BACKWARD_LAST, COSINE_LAST, FORWARD, BACKWARD, COSINE, TWO_STEPS, ADJACENT_LAST = range(8, 16)


class Knobs(NamedTuple):
    """Numbers that are tuned on the end of the history. Powers and rates are without unit.

    reach: newest items of the visit that look for sessions; most_sessions: newest matching sessions that count.
    place: an item of the visit k places back weighs (1 + k)^-place. age: a session weighs e^(-age × its age), the oldest
    being 1 old. length: it weighs (distinct items)^-length. distance: its items weigh (1 + distance)^-distance from
    the match, and `before` times that when they stand before it. cart, purchase: weights of those kinds, a view being 1.
    """

    reach: int = 10
    most_sessions: int = 500
    place: float = 1.0
    age: float = 1.0
    length: float = 0.5
    distance: float = 0.5
    before: float = 0.7
    cart: float = 1.0
    purchase: float = 1.0
    # How much the sums weigh together, beside 1 for sessions that are alike; seen_*: factors for what the visit holds.
    forward_last: float = 0.3
    forward_all: float = 0.3
    backward_all: float = 0.1
    cosine_all: float = 0.3
    two_steps: float = 0.05
    seen_last: float = 1.0
    seen: float = 0.7


class Scratch(NamedTuple):
    """Room of one thread for one visit at a time. slot: int32 (items,), -1 everywhere between visits."""

    slot: NDArray[np.int32]
    items: NDArray[np.int32]
    sums: NDArray[np.float32]
    speaks: NDArray[np.float32]
    because: NDArray[np.int32]
    counts: NDArray[np.int32]
    kinds: NDArray[np.uint8]
    weights: NDArray[np.float32]
    heads: NDArray[np.int64]
    nearness: NDArray[np.float32]
    shortness: NDArray[np.float32]
    mass: NDArray[np.float32]
    keys: NDArray[np.float32]
    kept: NDArray[np.int64]


def new_scratch(n_items: int) -> Scratch:
    """Room for visits to a shop of n_items: 4 bytes an item and at most 3 MB."""
    slots = min(n_items, MOST_SLOTS) + 1
    return Scratch(
        np.full(n_items, -1, np.int32), np.zeros(slots, np.int32), np.zeros((slots, len(CHANNELS)), np.float32),
        np.zeros(slots, np.float32), np.zeros(slots, np.int32), np.zeros(MOST_DISTINCT, np.int32),
        np.zeros(MOST_DISTINCT, np.uint8), np.zeros(MOST_DISTINCT, np.float32), np.zeros(MOST_DISTINCT, np.int64),
        np.zeros(LONGEST, np.float32), np.zeros(LONGEST + 1, np.float32), np.zeros(3, np.float32),
        np.zeros(slots, np.float32), np.zeros(slots, np.int64),
    )  # fmt: skip


def scratch_type() -> object:
    return type_of(new_scratch(1))


def knobs_type() -> object:
    return type_of(Knobs())


def sessions_type() -> object:
    return type_of(Sessions(*(still(np.zeros(0, kind)) for kind in ("i8", "i4", "u1", "i8", "i4"))))


def related_type() -> object:
    return type_of(Related(*(still(np.zeros(0, kind)) for kind in ("i8", "i4", "f4", "f4", "f4", "f4"))))


@inner
def gather(sessions, related, knobs, items, kinds, counts, room):  # type: ignore[no-untyped-def]
    """Fill `room` with what speaks for which item after a visit; answers (distinct items of the visit, slots used).

    items: oldest first, UNKNOWN ones are passed over; counts: how many views an entry stands for (0 for a cart or order).
    clear() must follow.
    """
    distinct = _distinct_visit(items, kinds, counts, knobs, room)
    room.mass[:] = 0
    for slot in range(distinct):
        room.mass[2] += room.weights[slot]
    used = _from_sessions(sessions, knobs, distinct, distinct, room)
    used = _from_related(related, distinct, used, room)
    used = _from_two_steps(related, distinct, used, room)
    return distinct, used


@inner
def clear(room, used):  # type: ignore[no-untyped-def]
    for slot in range(used):
        room.slot[room.items[slot]] = -1


@inner
def _slot_of(item, used, slots, items, sums, speaks, because):  # type: ignore[no-untyped-def]
    """The item's slot, a new one if need be; -1 when there is no room for it. A new one is `used`.

    It takes the arrays one by one, as what is called for every item of every session does: handing over a tuple of many
    costs more than the work.
    """
    slot = slots[item]
    if slot < 0 and used < len(items):
        slot = used
        slots[item] = slot
        items[slot] = item
        for channel in range(sums.shape[1]):
            sums[slot, channel] = 0
        speaks[slot] = 0
        because[slot] = -1
    return slot


@inner
def _distinct_visit(items, kinds, counts, knobs, room):  # type: ignore[no-untyped-def]
    used = 0
    for at in range(len(items) - 1, -1, -1):
        item = items[at]
        if item < 0 or item >= len(room.slot):
            continue
        if room.slot[item] < 0:
            if used >= min(MOST_DISTINCT, len(room.items)):
                continue
            slot = _slot_of(item, used, room.slot, room.items, room.sums, room.speaks, room.because)
            room.counts[slot], room.kinds[slot] = 0, 0
            used += 1
        slot = room.slot[item]
        room.counts[slot] += counts[at]
        room.kinds[slot] = max(room.kinds[slot], kinds[at])
    for slot in range(used):
        room.weights[slot] = (1.0 + slot) ** -knobs.place * _kind_weight(room.kinds[slot], knobs)
    return used


@inner
def _kind_weight(kind, knobs):  # type: ignore[no-untyped-def]
    return 1.0 if kind == 0 else (knobs.cart if kind == 1 else knobs.purchase)


@inner
def _newest_match(looking, items, heads, holder_starts, holders):  # type: ignore[no-untyped-def]
    """The newest session at the head of any of the lists, -1 at their end; it is taken off all of them."""
    newest = -1
    for slot in range(looking):
        if heads[slot] < holder_starts[items[slot] + 1]:
            newest = max(newest, holders[heads[slot]])
    for slot in range(looking):
        head = heads[slot]
        if head < holder_starts[items[slot] + 1] and holders[head] == newest:
            heads[slot] += 1
    return newest


@inner
def _from_sessions(sessions, knobs, distinct, used, room):  # type: ignore[no-untyped-def]
    looking = min(distinct, knobs.reach)
    for gap in range(LONGEST):
        room.nearness[gap] = (1.0 + gap) ** -knobs.distance
        room.shortness[gap + 1] = (1.0 + gap) ** -knobs.length
    for slot in range(looking):
        room.heads[slot] = sessions.holder_starts[room.items[slot]]
    total = len(sessions.starts) - 1
    starts, members, kinds = sessions.starts, sessions.items, sessions.kinds
    slots, items, sums, speaks, because = room.slot, room.items, room.sums, room.speaks, room.because
    weights, nearness, shortness = room.weights, room.nearness, room.shortness
    before, by_kind = np.float32(knobs.before), (np.float32(1), np.float32(knobs.cart), np.float32(knobs.purchase))
    for _ in range(knobs.most_sessions):
        session = _newest_match(looking, items, room.heads, sessions.holder_starts, sessions.holders)
        if session < 0:
            break
        begin, end = starts[session], starts[session + 1]
        alike, match, nearest, matches = _likeness(begin, end, members, kinds, slots, weights, by_kind, distinct)
        age = np.float32(total - 1 - session) / np.float32(total)
        alike *= np.float32(np.exp(-knobs.age * age)) * shortness[min(end - begin, LONGEST)]
        room.mass[0] += alike
        room.mass[1] += 1
        for at in range(begin, end):
            slot = _slot_of(members[at], used, slots, items, sums, speaks, because)
            if slot >= 0:
                used = max(used, slot + 1)
                near = (
                    nearness[min(abs(at - match), LONGEST - 1)]
                    * by_kind[kinds[at]]
                    * (before if at < match else np.float32(1))
                )
                _add_alike(sums, because, slot, alike, near, at - match, nearest, matches, age)
    return used


@inner
def _likeness(begin, end, members, kinds, slots, weights, by_kind, distinct):  # type: ignore[no-untyped-def]
    """What a session shares with the visit: weight in all, place and slot of the newest item shared, how many are."""
    alike, match, nearest, matches = np.float32(0), begin, distinct, 0
    for at in range(begin, end):
        slot = slots[members[at]]
        if 0 <= slot < distinct:
            matches += 1
            alike += weights[slot] * by_kind[kinds[at]]
            if slot < nearest:
                nearest, match = slot, at
    return alike, match, nearest, matches


@inner
def _add_alike(sums, because, slot, alike, near, gap, nearest, matches, age):  # type: ignore[no-untyped-def]
    if sums[slot, SESSIONS] == 0:
        sums[slot, NEWEST] = 1 - age  # sessions come newest first
    sums[slot, SESSIONS] += 1
    sums[slot, ALIKE] += alike * near
    sums[slot, PLAIN] += alike
    if gap > 0:
        sums[slot, AFTER] += alike / np.float32(gap)
    if nearest == 0:
        sums[slot, OF_LAST] += alike * near
    if matches > 1:
        sums[slot, OF_MANY] += alike * near
    if alike > sums[slot, BEST]:
        sums[slot, BEST] = alike
        because[slot] = nearest


@inner
def _from_related(related, distinct, used, room):  # type: ignore[no-untyped-def]
    slots, items, sums, speaks, because = room.slot, room.items, room.sums, room.speaks, room.because
    starts, others, ahead, back, together = related.starts, related.items, related.forward, related.backward, related.cosine
    for near in range(min(distinct, RELATED_REACH)):
        item, weight = items[near], room.weights[near]
        for at in range(starts[item], starts[item + 1]):
            slot = _slot_of(others[at], used, slots, items, sums, speaks, because)
            if slot < 0:
                continue
            used = max(used, slot + 1)
            if near == 0:
                sums[slot, FORWARD_LAST], sums[slot, BACKWARD_LAST] = ahead[at], back[at]
                sums[slot, COSINE_LAST], sums[slot, ADJACENT_LAST] = together[at], related.adjacent[at]
            sums[slot, FORWARD] += weight * ahead[at]
            sums[slot, BACKWARD] += weight * back[at]
            sums[slot, COSINE] += weight * together[at]
            speaking = weight * (ahead[at] + together[at])
            if speaking > speaks[slot] and slot != near:
                speaks[slot], because[slot] = speaking, near
    return used


@inner
def _from_two_steps(related, distinct, used, room):  # type: ignore[no-untyped-def]
    """Items near those that are near the two newest: where the history is thin, that is all there is."""
    slots, items, sums, speaks, because = room.slot, room.items, room.sums, room.speaks, room.because
    starts, others, ahead, together = related.starts, related.items, related.forward, related.cosine
    for near in range(min(distinct, 2)):
        begin = starts[items[near]]
        for at in range(begin, min(begin + FIRST_STEPS, starts[items[near] + 1])):
            middle = others[at]
            if middle == items[near]:
                continue
            first = room.weights[near] * (ahead[at] + together[at])
            for then in range(starts[middle], min(starts[middle] + SECOND_STEPS, starts[middle + 1])):
                slot = _slot_of(others[then], used, slots, items, sums, speaks, because)
                if slot >= 0:
                    used = max(used, slot + 1)
                    sums[slot, TWO_STEPS] += first * (ahead[then] + together[then])
                    if because[slot] < 0:
                        because[slot] = near
    return used


@inner
def blend(knobs, distinct, used, room):  # type: ignore[no-untyped-def]
    """One number for each slot into room.keys: shares of what speaks for it, weighed together; higher is better."""
    alike, weight = max(room.mass[0], np.float32(1e-9)), max(room.mass[2], np.float32(1e-9))
    for slot in range(used):
        sums = room.sums[slot]
        key = sums[ALIKE] / alike + knobs.forward_last * sums[FORWARD_LAST]
        key += (
            knobs.forward_all * sums[FORWARD] + knobs.backward_all * sums[BACKWARD] + knobs.cosine_all * sums[COSINE]
        ) / weight
        if slot < distinct:
            key *= knobs.seen_last if slot == 0 else knobs.seen
        room.keys[slot] = key
