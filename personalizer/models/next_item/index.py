"""The index of recent sessions and what follows what: built from behaviour in one pass each, read by ranking."""

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
from numba import types
from numpy.typing import NDArray

from personalizer.models.behaviour import Behaviour
from personalizer.models.next_item.compiled import array_of, entry, inner, still

__all__ = ["CHUNK", "Related", "Sessions", "build_related", "build_sessions", "occurrences", "pieces", "strongest"]

WINDOW: Final = 10  # clicks; what lies farther apart in a session is no step from one to the other
CHUNK: Final = 16_384  # items whose rows are worked on at once
PIECE: Final = 4_000_000  # numbers that are counted at once
SUMS: Final = 4  # of a pair: the columns of Related behind its items
DOUBT: Final = 3  # steps that are taken to have led elsewhere, so that one of one is not all


class Sessions(NamedTuple):
    """Sessions as the distinct items they hold, by last click; and for each item the newest sessions that hold it.

    starts: int64 (sessions + 1,); items: int32, kinds: uint8 (n,), the strongest kind with which an item occurs.
    holder_starts: int64 (items + 1,); holders: int32, numbers of sessions, newest first, capped for each item.
    """

    starts: NDArray[np.int64]
    items: NDArray[np.int32]
    kinds: NDArray[np.uint8]
    holder_starts: NDArray[np.int64]
    holders: NDArray[np.int32]

    def sound(self, n_items: int) -> bool:
        """True when no reader can step outside of an array."""
        return bool(
            _rows(self.starts, len(self.items))
            and self.kinds.shape == self.items.shape
            and _within(self.items, n_items)
            and self.holder_starts.shape == (n_items + 1,)
            and _rows(self.holder_starts, len(self.holders))
            and _within(self.holders, len(self.starts) - 1)
        )


class Related(NamedTuple):
    """For each item those that stand near it in sessions, strongest first; all but starts of shape (pairs,).

    forward, backward: sum of 1/distance over the steps from (to) the item, by session that holds it; an item may follow
    itself. cosine: over the sessions that hold both. adjacent: of the steps from the item to whatever comes right after it,
    the share that leads there, drawn to nothing by DOUBT.
    """

    starts: NDArray[np.int64]
    items: NDArray[np.int32]
    forward: NDArray[np.float32]
    backward: NDArray[np.float32]
    cosine: NDArray[np.float32]
    adjacent: NDArray[np.float32]

    def sound(self, n_items: int) -> bool:
        """True when no reader can step outside of an array."""
        return bool(
            self.starts.shape == (n_items + 1,)
            and _rows(self.starts, len(self.items))
            and _within(self.items, n_items)
            and all(array.shape == self.items.shape and np.isfinite(array).all() for array in self[2:])
        )


def _rows(starts: NDArray[np.int64], length: int) -> bool:
    return bool(len(starts) and starts[0] == 0 and starts[-1] == length and (np.diff(starts) >= 0).all())


def _within(numbers: NDArray[np.int32], end: int) -> bool:
    return bool(((numbers >= 0) & (numbers < end)).all())


def build_sessions(behaviour: Behaviour, n_items: int, longest: int, most_holders: int) -> Sessions:
    """The index over all sessions; of a session the last `longest` distinct items, of an item the newest holders."""
    starts = np.zeros(len(behaviour) + 1, np.int64)
    items, kinds = np.empty(len(behaviour.items), np.int32), np.empty(len(behaviour.items), np.uint8)
    used = _distinct(
        *_parts(behaviour), np.full(n_items, -1, np.int64), np.empty(n_items, np.int64), longest, starts, items, kinds
    )
    items.resize(used, refcheck=False)  # in place: a copy would lie beside what it is of
    kinds.resize(used, refcheck=False)
    counts = np.minimum(occurrences(items, n_items), most_holders)
    holder_starts = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
    holders = np.empty(holder_starts[-1], np.int32)
    _fill_holders(starts, items, holder_starts, holders)
    return Sessions(still(starts), still(items), still(kinds), still(holder_starts), still(holders))


def build_related(behaviour: Behaviour, index: Sessions, n_items: int, most: int) -> Related:
    """What stands near what, the `most` strongest of each item. An item's row rests on its indexed holders."""
    # At least one: an item that only a long session held, before its last ones, is near others all the same.
    held = np.maximum(occurrences(index.items, n_items), 1).astype(np.float32)
    starts, most, used = np.zeros(n_items + 1, np.int64), min(most, n_items), 0
    # Room for all that there may be: only what is written to takes memory, and the rest is given back in place.
    others, *sums = (np.empty(n_items * most, kind) for kind in (np.int32, *[np.float32] * SUMS))
    scratch = (np.zeros((n_items, SUMS), np.float32), np.full(n_items, -1, np.int64), np.zeros(1, np.int64))
    for begin in range(0, n_items, CHUNK):
        end = min(begin + CHUNK, n_items)
        values = np.empty(((end - begin) * most, SUMS), np.float32)
        found = _related_rows(
            *_parts(behaviour)[:2], index.holder_starts, index.holders, still(held), begin, end, most,
            *scratch, starts, others[used:], values,
        )  # fmt: skip
        for column, value in zip(sums, values.T, strict=True):
            column[used : used + found] = value[:found]
        used += found
    np.cumsum(starts, out=starts)
    for column in (others, *sums):
        column.resize(used, refcheck=False)
    return Related(still(starts), still(others), *map(still, sums))


def pieces(related: Related) -> Iterator[tuple[range, NDArray[np.intp], slice]]:
    """CHUNK items at a time: which; and of all that stands near them whose it is, and where it stands in the columns."""
    n_items = len(related.starts) - 1
    for begin in range(0, n_items, CHUNK):
        items = range(begin, min(begin + CHUNK, n_items))
        starts = related.starts[begin : items.stop + 1]
        yield items, np.repeat(np.arange(begin, items.stop), np.diff(starts)), slice(starts[0], starts[-1])


def occurrences(items: NDArray[np.int32], n_items: int) -> NDArray[np.int64]:
    """How often each item is there, int64 (n_items,). In pieces, since what NumPy counts it first copies as int64."""
    found = np.zeros(n_items, np.int64)
    for begin in range(0, len(items), PIECE):
        found += np.bincount(items[begin : begin + PIECE], minlength=n_items)
    return found


def _parts(behaviour: Behaviour) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.uint8]]:
    return still(behaviour.starts), still(behaviour.items), still(behaviour.kinds)


@entry(
    lambda: (
        array_of("i8"), array_of("i4"), array_of("u1"), array_of("i8", changed=True), array_of("i8", changed=True),
        types.int64, array_of("i8", changed=True), array_of("i4", changed=True), array_of("u1", changed=True),
    )
)  # fmt: skip
def _distinct(  # type: ignore[no-untyped-def]
    starts, items, kinds, last_seen, place, longest, out_starts, out_items, out_kinds
):
    used = 0
    for session in range(len(starts) - 1):
        begin = used
        for at in range(starts[session + 1] - 1, starts[session] - 1, -1):
            item = items[at]
            if last_seen[item] == session:
                where = place[item]
                if where >= 0 and kinds[at] > out_kinds[where]:
                    out_kinds[where] = kinds[at]
                continue
            last_seen[item] = session
            place[item] = -1
            if used - begin < longest:
                place[item] = used
                out_items[used], out_kinds[used] = item, kinds[at]
                used += 1
        out_items[begin:used] = out_items[begin:used][::-1].copy()
        out_kinds[begin:used] = out_kinds[begin:used][::-1].copy()
        out_starts[session + 1] = used
    return used


@entry(lambda: (array_of("i8"), array_of("i4"), array_of("i8"), array_of("i4", changed=True)))
def _fill_holders(starts, items, holder_starts, holders):  # type: ignore[no-untyped-def]
    filled = np.zeros(len(holder_starts) - 1, np.int64)
    for session in range(len(starts) - 2, -1, -1):
        for at in range(starts[session], starts[session + 1]):
            item = items[at]
            where = holder_starts[item] + filled[item]
            if where < holder_starts[item + 1]:
                holders[where] = session
                filled[item] += 1


@inner
def _add_session(begin, end, items, item, number, sums, seen, touched, count):  # type: ignore[no-untyped-def]
    """One session's part in the row of `item`; sums: as in Related, by item. Answers the count touched."""
    for at in range(begin, end):
        other = items[at]
        if seen[other] != number:  # counted once a session
            seen[other] = number
            if sums[other, 2] == 0:
                touched[count] = other
                count += 1
            sums[other, 2] += 1
        if other != item:
            continue
        if at + 1 < end:
            sums[items[at + 1], 3] += 1
        for near in range(max(begin, at - WINDOW), min(end, at + WINDOW + 1)):
            if near > at:
                sums[items[near], 0] += np.float32(1) / np.float32(near - at)
            elif near < at:
                sums[items[near], 1] += np.float32(1) / np.float32(at - near)
    return count


@inner
def strongest(keys, numbers, count, most, kept):  # type: ignore[no-untyped-def]
    """The places of the `most` highest keys into `kept`, best first, equal ones by number. Answers how many there are."""
    size = 0
    for at in range(count):
        key, number = keys[at], numbers[at]
        if size == most:
            worst = kept[size - 1]
            if key < keys[worst] or (key == keys[worst] and number > numbers[worst]):
                continue
            size -= 1
        where = size
        while where and (
            keys[kept[where - 1]] < key or (keys[kept[where - 1]] == key and numbers[kept[where - 1]] > number)
        ):
            kept[where] = kept[where - 1]
            where -= 1
        kept[where] = at
        size += 1
    return size


@entry(
    lambda: (
        array_of("i8"), array_of("i4"), array_of("i8"), array_of("i4"), array_of("f4"),
        types.int64, types.int64, types.int64,
        array_of("f4", 2, changed=True), array_of("i8", changed=True), array_of("i8", changed=True),
        array_of("i8", changed=True), array_of("i4", changed=True), array_of("f4", 2, changed=True),
    )
)  # fmt: skip
def _related_rows(  # type: ignore[no-untyped-def]
    starts, items, holder_starts, holders, held, begin, end, most, sums, seen, visits, lengths, out_items, out_values
):
    touched, keys = np.empty(len(held), np.int32), np.empty(len(held), np.float32)
    kept = np.empty(most, np.int64)
    used = 0
    for item in range(begin, end):
        count = 0
        for at in range(holder_starts[item], holder_starts[item + 1]):
            session = holders[at]
            visits[0] += 1
            count = _add_session(starts[session], starts[session + 1], items, item, visits[0], sums, seen, touched, count)
        scanned = np.float32(max(holder_starts[item + 1] - holder_starts[item], 1))
        steps = np.float32(DOUBT)
        for place in range(count):
            steps += sums[touched[place], 3]
        for place in range(count):
            other = touched[place]
            for column in range(3):
                sums[other, column] /= scanned
            sums[other, 3] /= steps
            # Together by session that holds the item, times the root of how often both occur: the cosine.
            sums[other, 2] = min(sums[other, 2] * np.sqrt(held[item] / held[other]), np.float32(1))
            keys[place] = sums[other, 0] + np.float32(0.5) * sums[other, 1] + sums[other, 2]
        size = strongest(keys, touched, count, most, kept)
        for place in range(size):
            out_items[used] = touched[kept[place]]
            out_values[used] = sums[touched[kept[place]]]
            used += 1
        for place in range(count):
            sums[touched[place]] = 0
        lengths[item + 1] = size
    return used
