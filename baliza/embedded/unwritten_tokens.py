"""Repairs what a killed engine leaves behind: deduplication tokens of parts that were never written.

For a table with `non_replicated_deduplication_window` the engine notes an insert's token first and then moves the part into
place. Killed between the two, it would take the repeated insert for a duplicate, and the rows would be lost. Both steps
happen under one lock of the table, so only the last note of a table can be such a one.
"""

import re
from collections.abc import Iterable
from pathlib import Path

__all__ = ["forget_unwritten_tokens", "is_written"]

PART = re.compile(r"(?P<partition>[^_]+)_(?P<first>\d+)_(?P<last>\d+)_\d+(?:_\d+)?")
LOG = re.compile(r"deduplication_log_(?P<number>\d+)\.txt")
ADDED = "1"


def is_written(part: str, on_disk: Iterable[str]) -> bool:
    """Whether a part is on disk, by itself or merged into another; `on_disk` are the names in the table's folder."""
    wanted = PART.fullmatch(part)
    if not wanted:
        return True  # not a name that we understand: keep what the engine wrote
    for found in filter(None, map(PART.fullmatch, on_disk)):
        same = found["partition"] == wanted["partition"]
        if same and int(found["first"]) <= int(wanted["first"]) and int(wanted["last"]) <= int(found["last"]):
            return True
    return False


def forget_unwritten_tokens(store: Path) -> list[Path]:
    """Take the last note out of every deduplication log under `store` whose part is not there; gives the changed files.

    Only for a store that no engine has open.
    """
    return [log for folder in store.glob("store/*/*/deduplication_logs") if (log := _last_log(folder)) and _repair(log)]


def _last_log(folder: Path) -> Path | None:
    numbered = [(int(found["number"]), path) for path in folder.iterdir() if (found := LOG.fullmatch(path.name))]
    with_notes = [(number, path) for number, path in numbered if path.stat().st_size]
    return max(with_notes)[1] if with_notes else None


def _repair(log: Path) -> bool:
    notes = log.read_bytes()
    start = notes.rstrip(b"\n").rfind(b"\n") + 1
    operation, part, *_ = [*notes[start:].decode("utf-8", "replace").rstrip("\n").split("\t"), ""]
    if operation != ADDED or is_written(part, (path.name for path in log.parent.parent.iterdir())):
        return False
    with log.open("r+b") as file:
        file.truncate(start)
    return True
