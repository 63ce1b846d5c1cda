"""A small HTTP client for load: keep-alive connections, one request in flight on each, one thread, no parsing beyond need.

The loop is closed: a connection sends its next request when the answer to the last one has come. So a slow server is asked
less, and the tail at 64 in flight contains the wait behind the other 63.
"""

import selectors
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

__all__ = ["SILENCE_S", "Answer", "AnswerReader", "Connection", "Load", "LoadError", "for_seconds", "request", "send"]

SILENCE_S: Final = 20.0
READ_AT_ONCE: Final = 262_144
NO_BODY: Final = (204, 304)


class LoadError(Exception):
    """The server under load did not do what the measurement needs; its figure would mean nothing."""


class Answer(NamedTuple):
    """One answer. `head` is everything before the empty line."""

    status: int
    head: bytes
    body: bytes


class AnswerReader:
    """Cuts what comes over one connection into answers."""

    def __init__(self) -> None:
        self._waiting = b""

    def feed(self, data: bytes) -> list[Answer]:
        """The answers that are complete with `data`. LoadError for a body without Content-Length."""
        self._waiting += data
        found = []
        while (answer := self._take()) is not None:
            found.append(answer)
        return found

    def _take(self) -> Answer | None:
        end = self._waiting.find(b"\r\n\r\n")
        if end < 0:
            return None
        head = self._waiting[:end]
        status = int(head[9:12])
        stop = end + 4 + (0 if status in NO_BODY else _length(head))
        if len(self._waiting) < stop:
            return None
        body, self._waiting = self._waiting[end + 4 : stop], self._waiting[stop:]
        return Answer(status, head, body)


def _length(head: bytes) -> int:
    _, found, rest = head.lower().partition(b"\r\ncontent-length:")
    if not found:
        raise LoadError(f"expected an answer with Content-Length, got {head[:200]!r}")
    return int(rest.partition(b"\r\n")[0])


def request(method: str, target: str, headers: Mapping[str, str], body: bytes = b"") -> bytes:
    """One HTTP/1.1 request as bytes on the wire; Host and Content-Length are added."""
    lines = [f"{method} {target} HTTP/1.1", "Host: 127.0.0.1", *(f"{name}: {value}" for name, value in headers.items())]
    if body or method == "POST":
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def for_seconds(
    requests: Iterator[bytes], seconds: float, clock: Callable[[], float] = time.perf_counter
) -> Iterator[bytes]:
    """Of endless requests those that are asked for within the next `seconds`."""
    until = clock() + seconds
    for each in requests:
        yield each
        if clock() >= until:
            return


@dataclass
class Load:
    """What a load was answered. `latencies_s` in the order of the answers; `bad` are those that `good` refused."""

    statuses: Counter[int] = field(default_factory=Counter)
    latencies_s: list[float] = field(default_factory=list)
    bad: int = 0
    first_bad: Answer | None = None
    wall_s: float = 0.0

    @property
    def answered(self) -> int:
        return len(self.latencies_s)

    def expect_all_good(self, what: str) -> None:
        """LoadError when an answer was not as it should be: figures of failing requests are no figures."""
        if self.bad or not self.answered:
            raise LoadError(
                f"{what}: {self.bad} of {self.answered} answers were not as expected, the first: {self.first_bad}"
            )


class Connection:
    """One keep-alive connection with one request in flight at most."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address, timeout=SILENCE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reader = AnswerReader()
        self.sent_at = 0.0

    def ask(self, raw: bytes) -> None:
        self.sent_at = time.perf_counter()
        self.socket.sendall(raw)

    def hear(self) -> list[Answer]:
        try:
            data = self.socket.recv(READ_AT_ONCE)
        except ConnectionError:
            data = b""
        if not data:
            raise LoadError("the server closed a connection that had a request in flight")
        return self.reader.feed(data)


def send(address: tuple[str, int], requests: Iterator[bytes], in_flight: int, good: Callable[[Answer], bool]) -> Load:
    """Send all requests over `in_flight` connections and wait for their answers. Blocks.

    LoadError when the server closes a connection, or says nothing for 20 s.
    """
    load = Load()
    began = time.perf_counter()
    with selectors.DefaultSelector() as selector:
        try:
            for _, raw in zip(range(in_flight), requests, strict=False):
                connection = Connection(address)
                selector.register(connection.socket, selectors.EVENT_READ, connection)
                connection.ask(raw)
            while selector.get_map():
                _turn(selector, requests, load, good)
        finally:
            for key in list(selector.get_map().values()):
                key.data.socket.close()
    load.wall_s = time.perf_counter() - began
    return load


def _turn(selector: selectors.BaseSelector, requests: Iterator[bytes], load: Load, good: Callable[[Answer], bool]) -> None:
    ready = selector.select(SILENCE_S)
    if not ready:
        raise LoadError(f"no answer for {SILENCE_S:.0f} s; {load.answered} came before")
    for key, _ in ready:
        connection: Connection = key.data
        for answer in connection.hear():
            load.latencies_s.append(time.perf_counter() - connection.sent_at)
            load.statuses[answer.status] += 1
            if not good(answer):
                load.bad += 1
                load.first_bad = load.first_bad or answer
            raw = next(requests, None)
            if raw is None:
                selector.unregister(connection.socket)
                connection.socket.close()
                break
            connection.ask(raw)
