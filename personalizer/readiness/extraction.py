"""Moments of past sessions from the history: day by day, and of a share of the visitors when there are very many."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from baliza.stores import History, query
from personalizer.readiness.past import read_past
from personalizer.readiness.replay import PROFILE_LIVES_MS
from personalizer.readiness.snapshots import Moments, Snapshots

__all__ = ["Visits", "read_moments", "read_visits"]

DAY_MS: Final = 24 * 3600 * 1000
MOST_SESSIONS: Final = 60_000
SLICE_SESSIONS: Final = 5_000


@dataclass(frozen=True)
class Visits:
    """What there is to learn from: sessions of people, and those of them with an order. Instants in ms."""

    since_ms: int
    until_ms: int
    sessions: int
    bought: int

    @property
    def share(self) -> float:
        """Of the visitors whose visits are read, so that about MOST_SESSIONS are; 1 when there are fewer."""
        return min(1.0, MOST_SESSIONS / self.sessions) if self.sessions else 1.0

    @property
    def slice_ms(self) -> int:
        """Whole days that hold about SLICE_SESSIONS of the share; at least one, at most thirty."""
        days = max(1, (self.until_ms - self.since_ms) // DAY_MS)
        a_day = self.sessions * self.share / days
        return DAY_MS * min(30, max(1, int(SLICE_SESSIONS / max(1.0, a_day))))


def read_visits(history: History, site: str, since_ms: int, until_ms: int) -> Visits:
    """One query of counts. Raises StoreDown."""
    sessions, bought = history.rows(query("train_visits"), {"site": site, "since_ms": since_ms, "until_ms": until_ms})[0]
    return Visits(since_ms, until_ms, sessions, bought)


def read_moments(
    history: History, site: str, visits: Visits, idle_ms: int, progress: Callable[[float], None] = lambda _done: None
) -> Moments:
    """The moments of a share of the visitors, by chance, each with all their visits.

    Slice by slice (of days), in chunks, so that memory holds the profiles of the share and no more. Reading begins as long
    before as profiles live. progress: from 0 to 1. Blocks for about 30 µs an event. Raises StoreDown.
    """
    found = Snapshots(idle_ms, visits.since_ms)
    first = visits.since_ms - PROFILE_LIVES_MS
    for begin in range(first, visits.until_ms, visits.slice_ms):
        progress((begin - first) / max(1, visits.until_ms - first))
        end = min(begin + visits.slice_ms, visits.until_ms)
        found.take(read_past(history, site, begin, end, visits.share))
        found.forget(end)
    return found.finish(visits.until_ms)
