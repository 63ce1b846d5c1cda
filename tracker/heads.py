"""Request heads that were read before: a browser writes the same one with every batch, but for the body's length.

The parser has judged the very same bytes once, so what it found is found again by looking them up. Whatever is not
exactly one whole POST /o with a length as nearly everybody writes it goes through the parser.
"""

from typing import Any, Final

__all__ = ["Head", "Heads", "split"]

LENGTH: Final = b"\r\nContent-Length: "
LENGTH_BYTES: Final = len(LENGTH)
# Of senders that are remembered at once; a busy worker has a few thousand connections.
HEADS_MOST: Final = 4_000
HEAD_MOST_BYTES: Final = 4_096
# What changes how a request is read or who sends it; such requests are not that frequent.
SPECIAL: Final = frozenset({"authorization", "content-encoding", "expect", "transfer-encoding", "upgrade"})


class Head:
    """What a parser found in a head. `persistence`: what its Connection header asks for, as an answer confirms it.

    `notes`: what others found out about who sends such requests; theirs to fill and to bound.
    """

    __slots__ = ("headers", "notes", "persistence")

    def __init__(self, headers: dict[str, str], persistence: str) -> None:
        self.headers, self.persistence = headers, persistence
        self.notes: Any = None


def split(data: bytes) -> tuple[bytes, int]:
    """The head without the digits of its length, and where the body begins; (b"", 0) when data is not one whole request."""
    end = data.find(b"\r\n\r\n")
    at = data.find(LENGTH, 0, end)
    if end < 0 or at < 0 or end > HEAD_MOST_BYTES:
        return b"", 0
    at += LENGTH_BYTES
    after = data.find(b"\r", at)
    if data[at:after] != b"%d" % (len(data) - end - 4):
        return b"", 0
    return data[:at] + data[after:end], end + 4


class Heads:
    """Those that were read lately, of all connections: in two generations, so that who is silent is forgotten."""

    def __init__(self, most: int = HEADS_MOST) -> None:
        self._most = most
        self._young: dict[bytes, Head] = {}
        self._old: dict[bytes, Head] = {}

    def get(self, key: bytes) -> Head | None:
        """Of the first of split()."""
        head = self._young.get(key)
        if head is None and (head := self._old.get(key)) is not None:
            self._keep(key, head)
        return head

    def learn(self, key: bytes, method: str, target: str, headers: dict[str, str], persistence: str) -> Head | None:
        """Remember what a parser found, where a request like it may be looked up the next time."""
        if method != "POST" or target != "/o" or headers.keys() & SPECIAL:
            return None
        head = Head(headers, persistence)
        self._keep(key, head)
        return head

    def _keep(self, key: bytes, head: Head) -> None:
        if len(self._young) >= self._most:
            self._old, self._young = self._young, {}
        self._young[key] = head

    def __len__(self) -> int:
        return len(self._young.keys() | self._old.keys())
