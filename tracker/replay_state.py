"""How far a replay has come: which events are done with, and the file that lets a killed run go on."""

import hashlib
import heapq
from collections.abc import Iterable
from pathlib import Path

import msgspec
from msgspec import Struct

__all__ = ["Done", "State", "fingerprint", "load_state", "save_state", "state_name"]


class State(Struct, forbid_unknown_fields=True):
    """What is kept between runs. `events_done`: how many events of the ordered log are done with, none missing before.

    `shift_us` is added to every time (None: the times are kept); a run that goes on keeps the shift with which it began.
    """

    file: str
    format: str
    url: str
    fingerprint: str
    shift_us: int | None = None
    events_done: int = 0
    finished: bool = False

    def continues(self, fresh: "State") -> bool:
        """True when a run that would begin as `fresh` can go on from here instead."""
        return not self.finished and self._said() == fresh._said()

    def _said(self) -> tuple[object, ...]:
        return self.file, self.format, self.url, self.fingerprint, self.shift_us is None


class Done:
    """Events are done with in any order; `upto` is the number of those before which none is missing."""

    def __init__(self, upto: int = 0) -> None:
        self.upto = upto
        self._ahead: list[int] = []

    def add(self, indexes: Iterable[int]) -> None:
        for index in indexes:
            heapq.heappush(self._ahead, index)
        while self._ahead and self._ahead[0] <= self.upto:
            self.upto = max(self.upto, heapq.heappop(self._ahead) + 1)


def fingerprint(file: Path) -> str:
    """Changes when the file does."""
    facts = file.stat()
    return f"{facts.st_size}-{facts.st_mtime_ns}"


def state_name(file: Path, format_name: str, url: str, key: str) -> str:
    """A name for one log sent to one site; the key is in it as a digest only."""
    said = "\0".join((str(file.resolve()), format_name, url, key))
    return f"{file.name}-{hashlib.sha256(said.encode()).hexdigest()[:10]}"


def load_state(file: Path) -> State | None:
    """The state kept in a file; None where there is none that can be used (then the run begins anew, which is safe)."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=State)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def save_state(file: Path, state: State) -> None:
    """Write the state so that a reader sees the old or the new one, never half of it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name(file.name + ".new")
    fresh.write_bytes(msgspec.json.encode(state))
    fresh.replace(file)
