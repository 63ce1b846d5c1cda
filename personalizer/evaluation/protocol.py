"""Iterative revealing: after each click of a test session a model says what may come next, then the next click is shown.

The protocol of session-rec (Ludewig, Jannach 2018). Nothing is told but what was clicked until then, and the time is that of
the last click. A list is asked for once; leaving out what the session has already seen gives a second, shorter one.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from personalizer.evaluation.ranker import Ranker
from personalizer.evaluation.split import Split
from personalizer.models.behaviour import VIEW
from personalizer.models.next_item import Visit

__all__ = ["MOST", "Case", "Played", "cases", "play"]

MOST: Final = 20  # the length of the lists that are judged

Ints = NDArray[np.int32]


@dataclass(frozen=True)
class Case:
    """One prediction to make. `seen`: different items before it; `later`: the rows that remain, the next one first."""

    session: int
    visit: Visit
    now_s: int
    seen: Ints
    later: Ints

    @property
    def target(self) -> int:
        return int(self.later[0])


@dataclass(frozen=True)
class Played:
    """What came of n predictions. All arrays of shape (n,) but two.

    sessions: whose prediction; ranks: place of the next click in the list, 0 for none; found: different items of those that
    remain in the list; remaining: how many remain; popularity: mean of the list's, NaN for an empty one; cpu_ns: the
    model's CPU time; probabilities: (n, MOST), NaN where not claimed; shown: (items,), lists that have the item.
    """

    sessions: NDArray[np.int64]
    ranks: NDArray[np.int64]
    found: NDArray[np.int64]
    remaining: NDArray[np.int64]
    popularity: NDArray[np.float64]
    cpu_ns: NDArray[np.int64]
    probabilities: NDArray[np.float32]
    shown: NDArray[np.int64]


def cases(split: Split) -> Iterator[Case]:
    """Each view of test but a session's first row, with all before it. Items that train has not are no model's input."""
    test, n_items = split.test, len(split.item_ids)
    for session, (begin, end) in enumerate(zip(test.starts[:-1].tolist(), test.starts[1:].tolist(), strict=True)):
        items, kinds, times = test.items[begin:end], test.kinds[begin:end], test.times[begin:end]
        views = kinds == VIEW
        known = items < n_items
        for place in range(1, end - begin):
            if views[place]:
                told = np.flatnonzero(known[:place])
                visit = Visit.of(items[told], kinds[told])
                later = items[place:][views[place:]]
                yield Case(session, visit, int(times[place - 1]), np.unique(items[:place]), later)


def play(
    ranker: Ranker,
    split: Split,
    *,
    cpu_ns: Callable[[], int] = time.process_time_ns,
    progress: Callable[[float], None] = lambda _done: None,
) -> tuple[Played, Played]:
    """All cases with the whole list, and those whose target is new to the session, with lists of new items alone."""
    popularity = np.bincount(split.train.items, minlength=len(split.item_ids)).astype(np.float64)
    popularity /= max(1.0, popularity.max(initial=0.0))
    whole, fresh = _Tally(popularity), _Tally(popularity)
    total = max(1, len(split.test.items))
    for done, case in enumerate(cases(split)):
        began = cpu_ns()
        ranked = ranker.rank(case.visit, MOST + len(case.seen), case.now_s)
        took = cpu_ns() - began
        whole.add(case, case.later, ranked.items[:MOST], ranked.probability[:MOST], took)
        if case.target not in case.seen:
            new = ~np.isin(ranked.items, case.seen)
            later = case.later[~np.isin(case.later, case.seen)]
            fresh.add(case, later, ranked.items[new][:MOST], ranked.probability[new][:MOST], took)
        if done % 100 == 0:
            progress(done / total)
    progress(1.0)
    return whole.played(), fresh.played()


class _Tally:
    def __init__(self, popularity: NDArray[np.float64]) -> None:
        self._popularity = popularity
        self._rows: list[tuple[int, int, int, int, float, int]] = []
        self._probabilities: list[NDArray[np.float32]] = []
        self._shown = np.zeros(len(popularity), np.int64)

    def add(self, case: Case, later: Ints, items: Ints, probability: NDArray[np.float32], took_ns: int) -> None:
        """later: the views that count, the target first."""
        places = np.flatnonzero(items == later[0])
        remaining = np.unique(later)
        popularity = float(self._popularity[items].mean()) if len(items) else float("nan")
        found = int(np.isin(items, remaining).sum())
        rank = int(places[0]) + 1 if len(places) else 0
        self._rows.append((case.session, rank, found, len(remaining), popularity, took_ns))
        padded = np.full(MOST, np.nan, np.float32)
        padded[: len(items)] = probability
        self._probabilities.append(padded)
        self._shown[items] += 1

    def played(self) -> Played:
        columns = zip(*self._rows, strict=True) if self._rows else [()] * 6
        sessions, ranks, found, remaining, popularity, took = (list(column) for column in columns)
        return Played(
            sessions=np.array(sessions, np.int64),
            ranks=np.array(ranks, np.int64),
            found=np.array(found, np.int64),
            remaining=np.array(remaining, np.int64),
            popularity=np.array(popularity, np.float64),
            cpu_ns=np.array(took, np.int64),
            probabilities=np.array(self._probabilities, np.float32).reshape(-1, MOST),
            shown=self._shown,
        )
