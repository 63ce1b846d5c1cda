"""The part of the history that is learned from, and whether it is enough to begin with."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from baliza.settings import Settings
from baliza.sites import Site
from baliza.stores import History, query

__all__ = ["DAY_MS", "FIRST_SESSIONS", "Span", "enough_to_begin", "read_span"]

DAY_MS: Final = 24 * 3600 * 1000
FIRST_SESSIONS: Final = 20  # with fewer nothing can be learned that is not chance


@dataclass(frozen=True)
class Span:
    """The part of the history that is learned from; instants in ms. since, until: asked for; first, last: found."""

    since_ms: int
    until_ms: int
    first_ms: int
    last_ms: int
    sessions: int
    events: int


def read_span(history: History, settings: Settings, site: Site, now: datetime) -> Span:
    """What there is to learn from in the last settings.train_days, whole days of UTC. One query. Raises StoreDown."""
    until_ms = int(now.timestamp() * 1000)
    since_ms = (until_ms // DAY_MS - settings.train_days) * DAY_MS
    found = history.rows(query("train_span"), {"site": site.name, "since_ms": since_ms, "until_ms": until_ms})
    return Span(since_ms, until_ms, *found[0])


def enough_to_begin(history: History, settings: Settings, site: Site, now: datetime) -> bool:
    """True when there are sessions enough for a first model. One query. Raises StoreDown."""
    return read_span(history, settings, site, now).sessions >= FIRST_SESSIONS
