"""The history as training reads it: clicks by day, kept in files, so that a training reads only the days that changed.

A day's file holds sessions as numbers, items, kinds and times; nothing in it says whose sessions they were. It is read again
as soon as the history says anything else of its day than before (late events, an erasure), and goes when the day has passed
out of the period.
"""

import logging
import os
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from baliza.stores import History, query
from personalizer.models.model import Names, places_or_beyond

__all__ = ["Clicks", "DayFiles", "DayKey", "read_clicks"]

FORMAT: Final = 1
ROWS_AT_ONCE: Final = 50_000
MAX_ID_BYTES: Final = 400  # a hundred characters of UTF-8

# Of (session, item, kind, time in ms).
Rows = Sequence[tuple[int, str, int, int]]

log = logging.getLogger("baliza.train")


@dataclass(frozen=True)
class DayKey:
    """A day (UTC) and what tells its contents from any other: the number of its events, the sum of their arrivals in ms."""

    day: date
    events: int
    received: int


@dataclass(frozen=True)
class Clicks:
    """What sessions did with items; all but `names` of shape (n,), ordered by session and time.

    names: the items' ids, sorted. items: places in `names`. kinds: 0 view, 1 cart, 2 purchase. times_ms: of the epoch, UTC.
    """

    names: Names
    sessions: NDArray[np.uint64]
    items: NDArray[np.int32]
    kinds: NDArray[np.uint8]
    times_ms: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.items)

    @classmethod
    def joined(cls, parts: Sequence["Clicks"]) -> "Clicks":
        """All of them as one, over the names that occur in any; a session over midnight is one again."""
        if not parts:
            return cls.none()
        names = np.unique(np.concatenate([part.names for part in parts]))
        sessions = np.concatenate([part.sessions for part in parts])
        items = np.concatenate([np.searchsorted(names, part.names)[part.items] for part in parts]).astype(np.int32)
        kinds = np.concatenate([part.kinds for part in parts])
        times = np.concatenate([part.times_ms for part in parts])
        order = np.lexsort((times, sessions))
        # One after the other: two of each at once would be the most that training takes.
        sessions = sessions[order]
        items = items[order]
        kinds = kinds[order]
        times = times[order]
        return cls(names, sessions, items, kinds, times)

    @classmethod
    def none(cls) -> "Clicks":
        """No clicks."""
        return cls(
            np.zeros(0, "S1"), np.zeros(0, np.uint64), np.zeros(0, np.int32), np.zeros(0, np.uint8), np.zeros(0, np.int64)
        )

    def narrowed(self, width: int) -> "Clicks":
        """Without the clicks on items whose ids have more bytes. All ids are as wide as the longest."""
        if self.names.dtype.itemsize <= width:
            return self
        fits = np.char.str_len(self.names) <= width
        place = np.cumsum(fits, dtype=np.int32) - 1
        kept = self.chosen(fits[self.items])
        names = self.names[fits].astype(f"S{width}")
        return Clicks(names, kept.sessions, place[kept.items], kept.kinds, kept.times_ms)

    def chosen(self, rows: NDArray[np.bool_]) -> "Clicks":
        """Those of the mask, over the same names."""
        return Clicks(self.names, self.sessions[rows], self.items[rows], self.kinds[rows], self.times_ms[rows])

    def renumbered(self, item_ids: Names) -> "Clicks":
        """The same with the places of `item_ids` (sorted) for its own; what is not there is numbered from their end."""
        numbers = places_or_beyond(item_ids, self.names)
        names = np.concatenate([item_ids, self.names[numbers >= len(item_ids)]])
        return Clicks(names, self.sessions, numbers[self.items], self.kinds, self.times_ms)

    def numbered(self, item_ids: Names) -> "Clicks":
        """As renumbered(), without the clicks on items that are not there."""
        found = self.renumbered(item_ids)
        known = found.chosen(found.items < len(item_ids))
        return Clicks(item_ids, known.sessions, known.items, known.kinds, known.times_ms)


class DayFiles:
    """The days of one site that were read before, below `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, key: DayKey, max_clicks: int) -> Clicks | None:
        """What was kept of this day; None when there is nothing, or something else than the history has now."""
        try:
            with self._file(key.day).open("rb") as opened, np.load(opened, allow_pickle=False) as kept:
                if kept["key"].tolist() != [FORMAT, max_clicks, key.events, key.received]:
                    return None
                return Clicks(*(kept[name] for name in ("names", "sessions", "items", "kinds", "times_ms")))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            log.warning("%s cannot be read and its day is read from the history again: %s", self._file(key.day), error)
            return None

    def put(self, key: DayKey, max_clicks: int, clicks: Clicks) -> None:
        """Keep a day. A full disk costs the next training time, not this one its model."""
        file = self._file(key.day)
        draft = file.with_suffix(f".{os.getpid()}.draft")
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with draft.open("wb") as opened:
                np.savez(
                    opened, key=np.array([FORMAT, max_clicks, key.events, key.received], np.int64), names=clicks.names,
                    sessions=clicks.sessions, items=clicks.items, kinds=clicks.kinds, times_ms=clicks.times_ms,
                )  # fmt: skip
            draft.replace(file)
        except OSError as error:
            with suppress(OSError):
                draft.unlink(missing_ok=True)
            log.warning("%s cannot be kept: %s", file, error)

    def keep_only(self, days: Sequence[date]) -> None:
        """Drop the files of all other days."""
        wanted = {self._file(day).name for day in days}
        for file in self._folder.glob("*"):
            if file.name not in wanted:
                file.unlink(missing_ok=True)

    def _file(self, day: date) -> Path:
        return self._folder / f"{day.isoformat()}.npz"


def read_clicks(
    history: History,
    site: str,
    since_ms: int,
    until_ms: int,
    max_clicks: int,
    files: DayFiles,
    progress: Callable[[float], None],
    widest: int = MAX_ID_BYTES,
) -> Clicks:
    """All clicks in [since_ms, until_ms), whole days but for the last. One query, and one for each day that is not kept.

    Raises StoreDown. max_clicks: what a session may hold a day. progress: is told how much of it is done, from 0 to 1.
    widest: bytes of the ids that are wanted.
    """
    asked: dict[str, Any] = {"site": site, "since_ms": since_ms, "until_ms": until_ms, "max_clicks": max_clicks}
    days = [DayKey(*row) for row in history.rows(query("train_days"), asked)]
    parts = []
    for place, key in enumerate(days):
        progress(place / len(days))
        clicks = files.get(key, max_clicks)
        if clicks is None:
            clicks = _clicks(history.chunks(query("train_clicks"), asked | {"day": key.day}, ROWS_AT_ONCE))
            files.put(key, max_clicks, clicks)
        parts.append(clicks.narrowed(widest))
    files.keep_only([key.day for key in days])
    return Clicks.joined(parts)


def _clicks(chunks: Iterator[Rows]) -> Clicks:
    """Rows of (session, item, kind, time) as arrays, a tenth of their size. The bytes of ids are kept, as in the model."""
    place_of: dict[str, int] = {}
    parts = [_columns(rows, place_of) for rows in chunks]
    if not place_of:
        return Clicks.none()
    sessions, items, kinds, times = (np.concatenate(column) for column in zip(*parts, strict=True))
    names = np.array([name.encode() for name in place_of], np.bytes_)
    order = np.argsort(names)
    place = np.empty(len(names), np.int32)
    place[order] = np.arange(len(names), dtype=np.int32)
    return Clicks.joined([Clicks(names[order], sessions, place[items], kinds, times)])


def _columns(rows: Rows, place_of: dict[str, int]) -> tuple[NDArray[Any], ...]:
    """A chunk as arrays; place_of: item → number, goes on growing."""
    table = [(session, place_of.setdefault(item, len(place_of)), kind, at) for session, item, kind, at in rows if item]
    columns = zip(*table, strict=True) if table else [()] * 4
    kinds = (np.uint64, np.int32, np.uint8, np.int64)
    return tuple(np.array(column, kind) for column, kind in zip(columns, kinds, strict=True))
