"""The ranker of next items: learned from behaviour, kept as arrays, asked with a visit."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numba import types
from numpy.typing import NDArray

from personalizer.models.behaviour import Behaviour
from personalizer.models.next_item.compiled import array_of, entry, still, warm
from personalizer.models.next_item.evidence import (
    LONGEST,
    Knobs,
    Scratch,
    blend,
    clear,
    gather,
    knobs_type,
    new_scratch,
    related_type,
    scratch_type,
    sessions_type,
)
from personalizer.models.next_item.index import Related, Sessions, build_related, build_sessions, strongest
from personalizer.models.next_item.visit import ALIKE, NEARBY, POPULAR, SEEN, Ranked, Visit

__all__ = ["NextItem"]

MOST: Final = 200  # items that rank() answers at most
POPULAR_KEPT: Final = 1000
MOST_HOLDERS: Final = 1000
MOST_RELATED: Final = 100

Progress = Callable[[str, float], None]
Arrays = dict[str, NDArray[np.generic]]


def _silent(_step: str, _done: float) -> None:
    pass


@dataclass(frozen=True)
class NextItem:
    """Ranks what may come next in a visit. Immutable, and safe to ask from many threads.

    popular: int32 (m,), best sellers of late, best first; popular_share: float32 (m,), their share of the newest clicks.
    """

    sessions: Sessions
    related: Related
    knobs: Knobs
    popular: NDArray[np.int32]
    popular_share: NDArray[np.float32]
    about: Mapping[str, Any] = field(default_factory=dict)
    _room: threading.local = field(default_factory=threading.local, repr=False, compare=False)

    @classmethod
    def fit(
        cls, behaviour: Behaviour, n_items: int, category_of: NDArray[np.int32] | None = None, *, seed: int = 0,  # noqa: ARG003
        progress: Progress = _silent, previous: "NextItem | None" = None, now_s: int | None = None,  # noqa: ARG003
    ) -> "NextItem":  # fmt: skip
        """Learn from behaviour, whose items are below n_items. Pure but for time and memory.

        category_of: int32 (n_items,), UNKNOWN where none. previous: the model of before, whose costly parts are used
        again. The same input and seed give the same model.
        """
        warm()
        progress("indexing sessions", 0.0)
        sessions = build_sessions(behaviour, n_items, LONGEST, MOST_HOLDERS)
        progress("finding what is near", 0.3)
        related = build_related(behaviour, sessions, n_items, MOST_RELATED)
        popular, share = _popular(behaviour, n_items)
        progress("done", 1.0)
        return cls(sessions, related, previous.knobs if previous else Knobs(), popular, share)

    def rank(self, visit: Visit, most: int = 20, now_s: int | None = None) -> Ranked:  # noqa: ARG002
        """What may come next, `most` at most (200 in all), best first. The visit's own items are among them.

        An empty visit, or one of unknown items alone, gets the best sellers.
        """
        room, found = self._own_room()
        most = min(most, MOST)
        size = _rank(
            self.sessions, self.related, self.knobs, self.popular, self.popular_share,
            visit.items, visit.kinds, visit.counts, room, most, *found,
        )  # fmt: skip
        return Ranked(*(column[:size].copy() for column in found))

    def _own_room(self) -> tuple[Scratch, tuple[NDArray[Any], ...]]:
        """This thread's scratch and results."""
        room = getattr(self._room, "room", None)
        if room is None:
            n_items = len(self.sessions.holder_starts) - 1
            found = (
                np.zeros(MOST, np.int32),
                np.zeros(MOST, np.float32),
                np.zeros(MOST, np.int32),
                np.zeros(MOST, np.uint8),
            )
            room = self._room.room = new_scratch(n_items), found
        return room

    def arrays(self) -> Arrays:
        """All that the model is, by name."""
        found: Arrays = {f"sessions.{name}": array for name, array in self.sessions._asdict().items()}
        found |= {f"related.{name}": array for name, array in self.related._asdict().items()}
        found |= {"popular": self.popular, "popular_share": self.popular_share, "knobs": np.array(self.knobs, np.float64)}
        return found

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, NDArray[np.generic]]) -> "NextItem":
        """The model of what arrays() gave, memory-mapped or not. KeyError, TypeError or ValueError when they are not that.

        Blocks until what ranking needs is compiled or loaded, so that no request waits for it.
        """
        warm()
        raw: Mapping[str, Any] = arrays
        knobs = Knobs(*(kind(value) for kind, value in zip(_KNOB_KINDS, raw["knobs"], strict=True)))
        return cls(
            Sessions(*(still(raw[f"sessions.{name}"]) for name in Sessions._fields)),
            Related(*(still(raw[f"related.{name}"]) for name in Related._fields)),
            knobs, still(raw["popular"]), still(raw["popular_share"]),
        )  # fmt: skip

    def sound(self, n_items: int) -> bool:
        """True when the parts fit together and to so many items, so that ranking cannot step outside of an array."""
        return bool(
            self.sessions.sound(n_items)
            and self.related.sound(n_items)
            and self.popular.shape == self.popular_share.shape
            and ((self.popular >= 0) & (self.popular < n_items)).all()
            and np.isfinite(np.array(self.knobs, np.float64)).all()
        )


_KNOB_KINDS: Final = tuple(Knobs.__annotations__.values())


def _popular(behaviour: Behaviour, n_items: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Best sellers of the newest tenth of the clicks (a thousand at least), then those of before."""
    total = len(behaviour.items)
    recent = np.bincount(behaviour.items[-max(1000, total // 10) :], minlength=n_items)
    ever = np.bincount(behaviour.items, minlength=n_items)
    order = np.lexsort((np.arange(n_items), -ever, -recent))[:POPULAR_KEPT].astype(np.int32)
    return still(order), still(recent[order] / max(recent.sum(), 1), np.float32)


@entry(
    lambda: (
        sessions_type(), related_type(), knobs_type(), array_of("i4"), array_of("f4"),
        array_of("i4"), array_of("u1"), array_of("i4"), scratch_type(), types.int64, array_of("i4", changed=True),
        array_of("f4", changed=True), array_of("i4", changed=True), array_of("u1", changed=True),
    )
)  # fmt: skip
def _rank(  # type: ignore[no-untyped-def]
    sessions,
    related,
    knobs,
    popular,
    popular_share,
    items,
    kinds,
    counts,
    room,
    most,
    out_items,
    out_p,
    out_because,
    out_source,
):
    distinct, used = gather(sessions, related, knobs, items, kinds, counts, room)
    blend(knobs, distinct, used, room)
    size = strongest(room.keys, room.items, used, most, room.kept)
    total = np.float32(1e-9)
    for slot in range(used):
        total += room.keys[slot]
    for place in range(size):
        slot = room.kept[place]
        out_items[place], out_p[place] = room.items[slot], room.keys[slot] / total
        out_because[place] = room.items[room.because[slot]] if room.because[slot] >= 0 else -1
        out_source[place] = SEEN if slot < distinct else (ALIKE if room.sums[slot, 3] > 0 else NEARBY)
    least = out_p[size - 1] if size else np.float32(1)
    for place in range(len(popular)):
        if size == most:
            break
        if room.slot[popular[place]] >= 0:
            continue
        least = min(least, popular_share[place])
        out_items[size], out_p[size], out_because[size], out_source[size] = popular[place], least, -1, POPULAR
        size += 1
    clear(room, used)
    return size
