"""Iterative revealing: after each click of a test session a model says what may come next, then the next click is shown.

The protocol of session-rec (Ludewig, Jannach 2018). Nothing is told but what was clicked until then, and the time is that of
the last click. A list is asked for once; leaving out what the session has already seen gives a second, shorter one.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from personalizer.evaluation.ranker import Ranker
from personalizer.evaluation.split import Split
from personalizer.models.behaviour import VIEW
from personalizer.models.next_item import Visit

__all__ = ["MOST", "Case", "Played", "first_carts", "next_clicks", "play"]

MOST: Final = 20  # the length of the lists that are judged

Ints = NDArray[np.int32]


@dataclass(frozen=True)
class Case:
    """One prediction to make. seen: different items before it. targets: any of them is right. later: what remains of the
    kind that is predicted, targets included.
    """

    session: int
    visit: Visit
    now_s: int
    seen: Ints
    targets: Ints
    later: Ints


@dataclass(frozen=True)
class Played:
    """What came of n predictions. All arrays of shape (n,) but two.

    sessions: whose prediction; ranks: place of the target in the list, 0 for none; found: different items of those that
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


@dataclass(frozen=True)
class _Session:
    number: int
    items: Ints
    kinds: NDArray[np.uint8]
    times: NDArray[np.int64]
    n_items: int

    def case(self, place: int, targets: Ints, later: Ints) -> Case:
        """What is told before a row; items that train has not are no model's input."""
        told = np.flatnonzero(self.items[:place] < self.n_items)
        visit = Visit.of(self.items[told], self.kinds[told])
        return Case(self.number, visit, int(self.times[place - 1]), np.unique(self.items[:place]), targets, later)


def _sessions(split: Split) -> Iterator[_Session]:
    test = split.test
    for number, (begin, end) in enumerate(zip(test.starts[:-1].tolist(), test.starts[1:].tolist(), strict=True)):
        yield _Session(number, test.items[begin:end], test.kinds[begin:end], test.times[begin:end], len(split.item_ids))


def next_clicks(split: Split) -> Iterator[Case]:
    """Each view of test but a session's first row, with all before it."""
    for session in _sessions(split):
        views = session.kinds == VIEW
        for place in range(1, len(views)):
            if views[place]:
                later = session.items[place:][views[place:]]
                yield session.case(place, later[:1], later)


def first_carts(split: Split) -> Iterator[Case]:
    """What each session of test puts in the cart, or buys, first, with the views before it; none before: no case.

    All that comes at that moment is right: an order may have several items and no cart before it. Items that train has
    not are left out: no model can rank them, so they would only hide how often each is right.
    """
    for session in _sessions(split):
        wanted = session.kinds != VIEW
        if not wanted.any() or not (place := int(wanted.argmax())):
            continue
        at_once = wanted & (session.kinds == session.kinds[place]) & (session.times == session.times[place])
        known = session.items < session.n_items
        if (at_once & known).any():
            yield session.case(place, np.unique(session.items[at_once & known]), session.items[wanted & known])


def play(
    ranker: Ranker,
    split: Split,
    cases: Callable[[Split], Iterator[Case]] = next_clicks,
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
        whole.add(case, ranked.items[:MOST], ranked.probability[:MOST], took)
        unseen = case.targets[~np.isin(case.targets, case.seen)]
        if len(unseen):
            new = ~np.isin(ranked.items, case.seen)
            rest = replace(case, targets=unseen, later=case.later[~np.isin(case.later, case.seen)])
            fresh.add(rest, ranked.items[new][:MOST], ranked.probability[new][:MOST], took)
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

    def add(self, case: Case, items: Ints, probability: NDArray[np.float32], took_ns: int) -> None:
        places = np.flatnonzero(np.isin(items, case.targets))
        remaining = np.unique(case.later)
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
