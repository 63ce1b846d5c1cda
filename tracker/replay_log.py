"""A log as a whole: opened, looked through once, put into the order of time, and made into events with ids.

Sessions are cut by the time of the events, so a log is replayed in that order, whatever order its lines stand in.
"""

import gzip
import io
import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid5

import msgspec

from baliza.errors import BadRequest
from tracker.replay_formats import FORMATS, WIRE, Bad, LeftOut, Outcome, Row, WrongHeader

__all__ = ["Log", "Observation", "Survey", "WrongFormat", "in_time_order", "observations", "survey"]

JUDGED_LINES: Final = 1_000  # how many lines decide whether the format is the right one
SHOWN_REASONS: Final = 10
EVENT_IDS: Final = UUID("7bb0c6f4-6d0e-5b0a-9f0a-2a9b1d3c4e5f")  # name space of the ids that a replay gives


class WrongFormat(BadRequest):
    """The file is not what the format says."""


class Observation(msgspec.Struct, frozen=True):
    """One event to send. `at`: microseconds since the epoch, as the log has it. `index`: place in the order of time."""

    index: int
    line: int
    visitor: str
    event: dict[str, Any]
    at: int


@dataclass(frozen=True)
class Log:
    """A file, the name of its format, and the currency of prices that come without one."""

    file: Path
    format: str
    currency: str = "EUR"

    def outcomes(self) -> Iterator[Outcome]:
        """One outcome a line, in the order of the file. WrongFormat on a wrong header or a damaged archive."""
        try:
            with _open(self.file) as lines:
                yield from FORMATS[self.format](lines, self.currency)
        except WrongHeader as error:
            raise WrongFormat(f"{self.file} is not {self.format}: {error}") from None
        except (EOFError, gzip.BadGzipFile, OSError) as error:
            raise WrongFormat(f"{self.file} cannot be read to its end: {error}") from error

    def rows(self) -> Iterator[Row]:
        return (outcome for outcome in self.outcomes() if isinstance(outcome, Row))


def _open(file: Path) -> io.TextIOBase:
    """The text of a file, unpacked if it is gzip by its first bytes, whatever its name is."""
    with file.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
    if packed:
        return gzip.open(file, "rt", encoding="utf-8-sig", errors="replace", newline="")
    return file.open(encoding="utf-8-sig", errors="replace", newline="")


@dataclass
class Survey:
    """What is in a log: counts of lines, the first reasons of bad ones, and its span of time (microseconds)."""

    lines: int = 0
    rows: int = 0
    bad: int = 0
    reasons: list[Bad] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    first_at: int = 0
    last_at: int = 0
    in_order: bool = True

    def _count(self, outcome: Outcome, previous_at: int) -> None:
        self.lines += 1
        if isinstance(outcome, LeftOut):
            self.left_out[outcome.reason] += 1
        elif isinstance(outcome, Bad):
            self.bad += 1
            if len(self.reasons) < SHOWN_REASONS:
                self.reasons.append(outcome)
        else:
            self.first_at = min(self.first_at, outcome.at) if self.rows else outcome.at
            self.last_at = max(self.last_at, outcome.at)
            self.in_order = self.in_order and outcome.at >= previous_at
            self.rows += 1


def survey(outcomes: Iterable[Outcome], name: str, note_bad: Callable[[Bad], None] = lambda _bad: None) -> Survey:
    """Look through a log once. `note_bad` gets every bad line. WrongFormat if most of the first thousand are bad."""
    found = Survey()
    previous_at = 0
    for outcome in outcomes:
        found._count(outcome, previous_at)
        if isinstance(outcome, Row):
            previous_at = outcome.at
        elif isinstance(outcome, Bad):
            note_bad(outcome)
        if found.lines == JUDGED_LINES:
            _judge(found, name)
    if found.lines < JUDGED_LINES:
        _judge(found, name)
    return found


def _judge(found: Survey, name: str) -> None:
    if 2 * found.bad > found.lines:
        first = found.reasons[0]
        raise WrongFormat(
            f"{found.bad} of the first {found.lines} lines are not {name}: the format is probably wrong "
            f"(line {first.line}: {first.reason}); give another --format"
        )


def in_time_order(rows: Iterable[Row]) -> Iterator[Row]:
    """The rows by time, then by line. For logs that are not in order: sorts in a temporary file, not in memory."""
    # An empty name is SQLite's private on-disk database, gone with the connection.
    with closing(sqlite3.connect("")) as spill:
        spill.execute("CREATE TABLE rows (at INTEGER, line INTEGER, rest BLOB)")
        packed = ((row.at, row.line, WIRE.encode((row.visitor, row.event, row.join))) for row in rows)
        spill.executemany("INSERT INTO rows VALUES (?, ?, ?)", packed)
        for at, line, rest in spill.execute("SELECT at, line, rest FROM rows ORDER BY at, line"):
            visitor, event, join = json.loads(rest, parse_float=Decimal)
            yield Row(line, at, visitor, event, join)


def observations(rows: Iterable[Row], format_name: str) -> Iterator[Observation]:
    """Events of rows that are in the order of time: lines of one event joined, every event with an id.

    The ids depend on what the log says and on nothing else, so a second replay repeats them.
    """
    index = 0
    for _second, together in groupby(rows, key=lambda row: row.at // 1_000_000):
        times: Counter[str] = Counter()
        for row in _joined(together):
            event = row.event
            if not event.get("event_id"):
                event = {"event_id": _event_id(format_name, row, times), **event}
            yield Observation(index, row.line, row.visitor, event, row.at)
            index += 1


def _joined(rows: Iterable[Row]) -> Sequence[Row]:
    events: list[Row] = []
    place: dict[str, int] = {}
    for row in rows:
        if row.join and row.join in place:
            first = events[place[row.join]]
            items = [*first.event["items"], *row.event["items"]]
            events[place[row.join]] = msgspec.structs.replace(first, event={**first.event, "items": items})
            continue
        if row.join:
            place[row.join] = len(events)
        events.append(row)
    return events


def _event_id(format_name: str, row: Row, times: Counter[str]) -> str:
    items = row.event.get("items")
    ids = [str(item.get("item_id", "")) for item in items if isinstance(item, dict)] if isinstance(items, list) else []
    said = "\0".join((format_name, row.visitor, str(row.at), row.event["type"], ",".join(ids)))
    times[said] += 1
    return str(uuid5(EVENT_IDS, f"{said}\0{times[said]}"))
