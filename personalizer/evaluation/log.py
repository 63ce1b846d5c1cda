"""A shop's log as CSV: what visitors clicked, session by session. Plain or gzipped, comma or tab, rows in any order."""

import csv
import gzip
import io
import math
import zlib
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from baliza.errors import BalizaError
from personalizer.models.behaviour import CART, PURCHASE, VIEW

__all__ = ["BadLog", "Log", "read_log"]

SESSION, ITEM, TIME, KIND, CATEGORY = "session", "item", "time", "kind", "category"
COLUMNS: Final = {
    "sessionid": SESSION, "itemid": ITEM, "time": TIME, "kind": KIND, "event": KIND, "category": CATEGORY,
    "categoryid": CATEGORY,
}  # fmt: skip
NEEDED: Final = {SESSION: "SessionId", ITEM: "ItemId", TIME: "Time"}
KINDS: Final = {
    "": VIEW, "view": VIEW, "click": VIEW, "view_item": VIEW, "0": VIEW,
    "cart": CART, "addtocart": CART, "add_to_cart": CART, "1": CART,
    "purchase": PURCHASE, "transaction": PURCHASE, "buy": PURCHASE, "2": PURCHASE,
}  # fmt: skip
GZIP_MAGIC: Final = b"\x1f\x8b"
LATEST_S: Final = 1e11  # the year 5138; larger numbers are milliseconds


class BadLog(BalizaError):
    """A log cannot be read; the message says the file, the line and what was expected."""


@dataclass(frozen=True)
class Log:
    """Rows in the order of sessions' first rows, by time within a session (equal times: as in the file); shape (n,).

    items: places in item_ids, which are UTF-8 and sorted. times: unix seconds. categories: places in category_names; None
    without such a column. kinds_told: whether the file says what each row is; otherwise all are views.
    """

    sessions: NDArray[np.int32]
    items: NDArray[np.int32]
    item_ids: NDArray[np.bytes_]
    times: NDArray[np.float64]
    kinds: NDArray[np.uint8]
    categories: NDArray[np.int32] | None
    category_names: Sequence[str]
    kinds_told: bool

    def __len__(self) -> int:
        return len(self.items)


def read_log(file: Path) -> Log:
    """The whole file. Raises BadLog. Blocks; about a second for half a million rows."""
    with _opened(file) as lines:
        dialect = csv.excel_tab if _tabs(lines) else csv.excel
        reader = csv.reader(lines, dialect, strict=True)
        columns = _columns(file, next(reader, []))
        rows = _Rows()
        _fill(file, reader, columns, rows)
    if not rows.times:
        raise BadLog(f"{file} has a header and no rows")
    return _log(rows, columns)


@contextmanager
def _opened(file: Path) -> Iterator[io.TextIOWrapper]:
    """The text of a file, with what can go wrong while it is read told as BadLog."""
    try:
        with file.open("rb") as raw:
            packed = raw.read(2) == GZIP_MAGIC
        with gzip.open(file) if packed else file.open("rb") as data, io.TextIOWrapper(data, "utf-8-sig", newline="") as text:
            yield text
    except UnicodeDecodeError as error:
        raise BadLog(f"{file} is not UTF-8: {error.reason} at byte {error.start} of a piece") from error
    except (OSError, EOFError, zlib.error) as error:
        raise BadLog(f"{file} cannot be read: {getattr(error, 'strerror', None) or error}") from error


def _tabs(lines: io.TextIOWrapper) -> bool:
    head = lines.readline()
    lines.seek(0)
    return "\t" in head and "," not in head


def _columns(file: Path, header: list[str]) -> dict[str, int]:
    """Our name of each column that we read → its place."""
    if not header:
        raise BadLog(f"{file} is empty; expected a header with the columns {', '.join(NEEDED.values())}")
    found: dict[str, int] = {}
    for place, title in enumerate(header):
        name = COLUMNS.get(title.strip().lower().replace("_", ""))
        if name in found:
            raise BadLog(f"{file}, line 1: two columns say the {name}: {header[found[name]]!r} and {title!r}")
        if name:
            found[name] = place
    missing = [title for name, title in NEEDED.items() if name not in found]
    if missing:
        raise BadLog(f"{file}, line 1: expected the columns {', '.join(missing)}, got {', '.join(header)!r:.200}")
    return found


class _Rows:
    """Plain numbers as they come, a few bytes a row: a log may have a hundred million."""

    def __init__(self) -> None:
        self.sessions, self.items, self.categories = array("i"), array("i"), array("i")
        self.times, self.kinds = array("d"), array("B")
        self.session_names: dict[str, int] = {}
        self.item_names: dict[str, int] = {}
        self.category_names: dict[str, int] = {}

    def session(self, text: str) -> None:
        """A SessionId; ValueError when it is empty."""
        names = self.session_names
        self.sessions.append(names.setdefault(_named(text, "a SessionId"), len(names)))

    def item(self, text: str) -> None:
        """An ItemId; ValueError when it is empty."""
        names = self.item_names
        self.items.append(names.setdefault(_named(text, "an ItemId"), len(names)))

    def category(self, text: str) -> None:
        """A category's name, empty for none."""
        names = self.category_names
        self.categories.append(names.setdefault(text.strip(), len(names)))

    def time(self, text: str) -> None:
        """An instant; ValueError when it is none."""
        self.times.append(_time(text))

    def kind(self, text: str) -> None:
        """What was done; ValueError when it is nothing that we know."""
        self.kinds.append(_kind(text))


def _fill(file: Path, reader: Iterator[list[str]], columns: dict[str, int], rows: _Rows) -> None:
    takers: list[tuple[int, Callable[[str], None]]] = [(place, getattr(rows, name)) for name, place in columns.items()]
    widest = max(columns.values())
    line = 1
    try:
        for row in reader:
            line = reader.line_num  # type: ignore[attr-defined]
            if not row:
                continue
            if len(row) <= widest:
                raise ValueError(f"expected {widest + 1} columns or more, got {len(row)}")
            for place, take in takers:
                take(row[place])
    except (ValueError, csv.Error) as error:
        if isinstance(error, UnicodeDecodeError):
            raise
        raise BadLog(f"{file}, line {max(line, reader.line_num)}: {error}") from error  # type: ignore[attr-defined]


def _named(text: str, what: str) -> str:
    if not (name := text.strip()):
        raise ValueError(f"expected {what}, got nothing")
    return name


def _time(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        return _instant(text)
    if not math.isfinite(seconds) or seconds < 0:
        raise ValueError(f"expected Time in unix seconds, got {text!r:.60}")
    if seconds > LATEST_S:
        raise ValueError(f"expected Time in unix seconds, got {text!r:.60}, which looks like milliseconds")
    return seconds


def _instant(text: str) -> float:
    try:
        instant = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"expected Time in unix seconds or as ISO 8601, got {text!r:.60}") from None
    return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).timestamp()


def _kind(text: str) -> int:
    kind = KINDS.get(text.strip().lower())
    if kind is None:
        raise ValueError(f"expected a kind of {', '.join(name for name in KINDS if name.isalpha())}, got {text!r:.60}")
    return kind


def _log(rows: _Rows, columns: dict[str, int]) -> Log:
    sessions, times = np.array(rows.sessions, np.int32), np.array(rows.times, np.float64)
    order = np.lexsort((times, sessions))
    names = np.array([name.encode() for name in rows.item_names], np.bytes_)
    by_name = np.argsort(names)
    place = np.empty(len(names), np.int32)
    place[by_name] = np.arange(len(names), dtype=np.int32)
    return Log(
        sessions=sessions[order],
        items=place[np.array(rows.items, np.int32)[order]],
        item_ids=names[by_name],
        times=times[order],
        kinds=np.array(rows.kinds, np.uint8)[order] if KIND in columns else np.full(len(times), VIEW, np.uint8),
        categories=np.array(rows.categories, np.int32)[order] if CATEGORY in columns else None,
        category_names=list(rows.category_names),
        kinds_told=KIND in columns,
    )
