"""The ranker of next items: learned from behaviour, kept as arrays, asked with a visit."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from personalizer.models.behaviour import Behaviour
from personalizer.models.next_item.base import Base, build_base, trimmed
from personalizer.models.next_item.calibration import Calibration
from personalizer.models.next_item.compiled import still, warm
from personalizer.models.next_item.evidence import Knobs
from personalizer.models.next_item.features import FEATURES, Items
from personalizer.models.next_item.fitting import Learned, learn
from personalizer.models.next_item.index import Related, Sessions
from personalizer.models.next_item.ranking import MOST, Room, new_room, rank
from personalizer.models.next_item.trees import Trees
from personalizer.models.next_item.visit import Ranked, Visit

__all__ = ["NextItem"]

Progress = Callable[[str, float], None]
Arrays = dict[str, NDArray[np.generic]]

_KNOB_KINDS: Final = tuple(Knobs.__annotations__.values())


def _silent(_step: str, _done: float) -> None:
    pass


@dataclass(frozen=True)
class NextItem:
    """Ranks what may come next in a visit. Immutable, and safe to ask from many threads.

    base: rebuilt at every training. learned: knobs, trees and calibration, which may be those of the training before. about:
    how it was tuned and what it reached on the end of its own history, for the meta of the model file.
    """

    base: Base
    learned: Learned
    _own: threading.local = field(default_factory=threading.local, repr=False, compare=False)

    @property
    def about(self) -> Mapping[str, Any]:
        return self.learned.about

    @classmethod
    def fit(
        cls, behaviour: Behaviour, n_items: int, category_of: NDArray[np.int32] | None = None, *, seed: int = 0,
        progress: Progress = _silent, previous: "NextItem | None" = None,
    ) -> "NextItem":  # fmt: skip
        """Learn from behaviour, whose items are below n_items. Pure but for time and memory.

        category_of: int32 (n_items,), UNKNOWN where none. previous: the model of before, in the same numbers (renumbered()):
        its embedding, knobs, trees and calibration are used again, which leaves seconds of work. Of
        time only the order counts. The same input and seed give the same model.
        """
        warm()
        behaviour = trimmed(behaviour)
        vectors = None
        if previous is None:
            learned = learn(behaviour, n_items, category_of, seed, lambda step, done: progress(step, 0.9 * done))
        else:
            learned, vectors = previous.learned, previous.base.items.embedding
        progress("indexing sessions", 0.9)
        base = build_base(behaviour, n_items, category_of, seed, vectors)
        progress("done", 1.0)
        return cls(base, learned)

    def renumbered(self, place_of: NDArray[np.int32], n_items: int) -> "NextItem":
        """The model for other numbers of items, to be given to fit() as `previous`; by itself it ranks best sellers.

        place_of: int32 (items,), the new number of each item, UNKNOWN for one that is gone.
        """
        kept = place_of >= 0
        vectors = np.zeros((n_items, self.base.items.embedding.shape[1]), np.float32)
        vectors[place_of[kept]] = self.base.items.embedding[kept]
        nothing = Behaviour(np.zeros(1, np.int64), np.zeros(0, np.int32), np.zeros(0, np.uint8), np.zeros(0, np.int64))
        return NextItem(build_base(nothing, n_items, None, 0, vectors), self.learned)

    def rank(self, visit: Visit, most: int = 20, now_s: int | None = None) -> Ranked:  # noqa: ARG002
        """What may come next, `most` at most (200 in all), best first. The visit's own items are among them.

        An empty visit, or one of unknown items alone, gets the best sellers. Of time only the order counts, so now_s says
        nothing here.
        """
        room = self._own_room()
        size = rank(
            *self.base, self.learned.knobs, self.learned.trees, self.learned.calibration,
            visit.items, visit.kinds, visit.counts, room, min(most, MOST),
        )  # fmt: skip
        found = room.found
        return Ranked(
            found.items[:size].copy(),
            found.probability[:size].copy(),
            found.because[:size].copy(),
            found.source[:size].copy(),
        )

    def _own_room(self) -> Room:
        """This thread's scratch and results."""
        room = getattr(self._own, "room", None)
        if room is None:
            room = self._own.room = new_room(self.base.n_items)
        return room

    def arrays(self) -> Arrays:
        """All that the model is, by name."""
        found: Arrays = {}
        for name, part in (*self.base._asdict().items(), ("trees", self.learned.trees)):
            found |= {f"{name}.{column}": array for column, array in part._asdict().items()}
        calibration = self.learned.calibration
        found |= {"calibration.knots": calibration.knots, "calibration.values": calibration.values}
        found["calibration.numbers"] = np.array([calibration.sharpness, calibration.none, calibration.tail])
        return found | {"knobs": np.array(self.learned.knobs, np.float64)}

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, NDArray[np.generic]], about: Mapping[str, Any] | None = None) -> "NextItem":
        """The model of what arrays() gave, memory-mapped or not. KeyError, TypeError or ValueError when they are not that.

        Blocks until what ranking needs is compiled or loaded, so that no request waits for it.
        """
        warm()
        raw: Mapping[str, Any] = arrays
        knobs = Knobs(*(kind(value) for kind, value in zip(_KNOB_KINDS, raw["knobs"], strict=True)))
        sharpness, none, tail = (float(number) for number in raw["calibration.numbers"])
        calibration = Calibration(sharpness, none, tail, still(raw["calibration.knots"]), still(raw["calibration.values"]))
        base = Base(_part(raw, "sessions", Sessions), _part(raw, "related", Related), _part(raw, "items", Items))
        return cls(base, Learned(knobs, _part(raw, "trees", Trees), calibration, dict(about or {})))

    def sound(self, n_items: int) -> bool:
        """True when the parts fit together and to so many items, so that ranking cannot step outside of an array."""
        return bool(
            self.base.sound(n_items)
            and np.isfinite(np.array(self.learned.knobs, np.float64)).all()
            and self.learned.trees.sound(len(FEATURES))
            and self.learned.calibration.sound()
        )


def _part(raw: Mapping[str, Any], name: str, kind: Any) -> Any:
    """A named tuple of arrays."""
    return kind(*(still(raw[f"{name}.{column}"]) for column in kind._fields))
