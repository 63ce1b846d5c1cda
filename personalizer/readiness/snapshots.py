"""Moments of past sessions: what was known then, and whether an order came after it. Pure.

Of each session some moments are taken: right after events, chosen by chance among its first hundred, and one in a pause,
because a session may be asked about at any time. Together they weigh 1: a long session says no more than a short one.
Nothing that happened after a moment is in its features: they are read off the profile as it stood then.
"""

import math
import random
import zlib
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from baliza.readiness.features import Features, features_of
from personalizer.readiness.replay import PROFILE_LIVES_MS, Past, Visitor

__all__ = ["Moments", "Snapshots"]

MOST_MOMENTS: Final = 3  # right after an event
CHOSEN_AMONG: Final = 100
PAUSE_WEIGHT: Final = 0.25
SHORTEST_PAUSE_MS: Final = 5_000


@dataclass(frozen=True)
class Moments:
    """Snapshots. features (n, features), bought (n,) 0 or 1, weights (n,), began_s (n,) of the session, Unix time;
    sessions, visitors (n,): hashes."""

    features: NDArray[np.float64]
    bought: NDArray[np.float64]
    weights: NDArray[np.float64]
    began_s: NDArray[np.float64]
    sessions: NDArray[np.uint32]
    visitors: NDArray[np.uint32]

    def __len__(self) -> int:
        return len(self.bought)

    @classmethod
    def none(cls) -> "Moments":
        """No moment at all."""
        return Snapshots(0, 0).finish(0)

    def taken(self, which: NDArray[np.bool_]) -> "Moments":
        """Those of the mask."""
        return Moments(
            self.features[which], self.bought[which], self.weights[which], self.began_s[which], self.sessions[which],
            self.visitors[which],
        )  # fmt: skip

    def buyers(self) -> int:
        """Different sessions with a moment before an order."""
        return len(np.unique(self.sessions[self.bought > 0]))


@dataclass
class _Open:
    """A session that is being watched. moments: (number of the event before, features, is it in a pause?)."""

    session_id: str
    began_ms: int
    chance: random.Random
    events: int = 0
    last_order: int = 0
    last_at: int = 0
    moments: list[tuple[int, Features, bool]] = field(default_factory=list)


@dataclass
class Snapshots:
    """Collects moments from events that come ordered by visitor and time within a slice, slices in the order of time.

    idle_ms: what ends a session. since_ms: sessions that began before it only bring their visitors' profiles up to date.
    """

    idle_ms: int
    since_ms: int
    _visitors: dict[str, tuple[Visitor, _Open | None]] = field(default_factory=dict)
    _features: "array[float]" = field(default_factory=lambda: array("d"))
    _told: "array[float]" = field(default_factory=lambda: array("d"))  # bought, weight, beginning
    _hashes: "array[int]" = field(default_factory=lambda: array("I"))  # of session and visitor

    def take(self, events: Iterable[Past]) -> None:
        """One slice."""
        for event in events:
            self._take(event)

    def forget(self, now_ms: int) -> None:
        """Settle the sessions that are over by now, and drop the visitors whose live profile would be gone."""
        for visitor_id, (visitor, opened) in list(self._visitors.items()):
            if opened is not None and opened.last_at < now_ms - self.idle_ms:
                self._close(visitor_id, visitor, opened)
                self._visitors[visitor_id] = (visitor, None)
            if visitor.profile.last_seen_at < now_ms - PROFILE_LIVES_MS:
                del self._visitors[visitor_id]

    def finish(self, until_ms: int) -> Moments:
        """All moments. Sessions that may still be going on at until_ms are left out: nobody knows yet how they end."""
        self.forget(until_ms)
        self._visitors.clear()
        bought, weights, began_s = np.frombuffer(self._told, np.float64).reshape(-1, 3).T
        sessions, visitors = np.frombuffer(self._hashes, np.uint32).reshape(-1, 2).T
        features = np.frombuffer(self._features, np.float64).reshape(-1, len(Features._fields))
        return Moments(features, bought, weights, began_s, sessions, visitors)

    def _take(self, event: Past) -> None:
        visitor, opened = self._visitors.get(event.visitor_id) or (Visitor.at(event), None)
        if event.at_ms - visitor.profile.last_seen_at > PROFILE_LIVES_MS:
            self._close(event.visitor_id, visitor, opened)
            visitor, opened = Visitor.at(event), None
        if not visitor.live(event):
            return
        if opened is None or opened.session_id != event.session_id:
            self._close(event.visitor_id, visitor, opened)
            opened = _Open(event.session_id, event.at_ms, random.Random(zlib.crc32(event.session_id.encode())))  # noqa: S311
        elif opened.events <= CHOSEN_AMONG:
            self._pause(visitor, opened, event.at_ms - opened.last_at)
        visitor.take(event)
        opened.events += 1
        opened.last_at = max(opened.last_at, event.at_ms)
        if event.kind == "purchase":
            opened.last_order = opened.events
        session = visitor.profile.session
        if opened.events <= CHOSEN_AMONG and session is not None:
            opened.moments.append((opened.events, features_of(visitor.profile, session, event.at_ms), False))
        self._visitors[event.visitor_id] = (visitor, opened)

    def _pause(self, visitor: Visitor, opened: _Open, gap_ms: int) -> None:
        """A moment after the last event, if a pause of a length drawn by chance would have been that long."""
        shortest = math.log(SHORTEST_PAUSE_MS)
        waited = int(math.exp(shortest + opened.chance.random() * (math.log(self.idle_ms) - shortest)))
        session = visitor.profile.session
        if waited < gap_ms and session is not None:
            seen = features_of(visitor.profile, session, opened.last_at + waited)
            opened.moments.append((opened.events, seen, True))

    def _close(self, visitor_id: str, visitor: Visitor, opened: _Open | None) -> None:
        if opened is None or opened.began_ms < self.since_ms:
            return
        if opened.events <= CHOSEN_AMONG and visitor.profile.session is not None:
            self._pause(visitor, opened, self.idle_ms)
        session, who = zlib.crc32(opened.session_id.encode()), zlib.crc32(visitor_id.encode())
        for (number, seen, _), weight in _chosen(opened):
            self._features.extend(seen)
            self._told.extend((opened.last_order > number, weight, opened.began_ms / 1000))
            self._hashes.extend((session, who))


def _chosen(opened: _Open) -> Iterator[tuple[tuple[int, Features, bool], float]]:
    after = [moment for moment in opened.moments if not moment[2]]
    pauses = [moment for moment in opened.moments if moment[2]]
    taken = opened.chance.sample(after, min(MOST_MOMENTS, len(after)))
    rest = 1.0
    if pauses:
        rest -= PAUSE_WEIGHT
        yield opened.chance.choice(pauses), PAUSE_WEIGHT
    for moment in taken:
        yield moment, rest / len(taken)
