"""A connection of the edge worker without the worker: a client on the other end of a socket pair."""

import selectors
import socket
from dataclasses import dataclass, field

from tests.support.wire import all_answers
from tracker.connection import Connection
from tracker.heads import Heads
from tracker.request import Answer, Request

TIMEOUT_S = 5.0
# What one connection has learned all others know, as in a worker: so everything that is sent twice goes both ways.
HEADS = Heads()


@dataclass
class Ends:
    """A connection on one end of a socket pair, a client on the other. Answers repeat the request, at once or when told."""

    at_once: bool = True
    now: float = 100.0
    requests: list[Request] = field(default_factory=list)
    forgotten: list[Connection] = field(default_factory=list)
    heads: Heads = HEADS

    def __post_init__(self) -> None:
        self.client, server = socket.socketpair()
        self.client.settimeout(2)
        self.selector = selectors.DefaultSelector()
        self.connection = Connection(
            server, "192.0.2.7", self.selector, self._handle, self.forgotten.append, TIMEOUT_S, self.now, self.heads
        )

    def _handle(self, _connection: Connection, request: Request) -> None:
        self.requests.append(request)
        if self.at_once:
            self.answer(request)

    def answer(self, request: Request, padding: int = 0) -> None:
        body = f"{request.method} {request.target} {len(request.body)}".encode() + b"." * padding
        self.connection.answer(Answer(200, [], body), self.now, head_only=request.method == "HEAD")

    def turn(self) -> None:
        """Let the connection do all it can do now."""
        while ready := self.selector.select(0) if self.selector.get_map() else []:
            for key, mask in ready:
                key.data.on_event(mask, self.now)

    def send(self, data: bytes) -> None:
        for start in range(0, len(data), 32_768):
            self.client.sendall(data[start : start + 32_768])
            self.turn()

    def received(self) -> bytes:
        """What has come back so far."""
        parts = []
        self.client.setblocking(False)
        try:
            while data := self.client.recv(1 << 20):
                parts.append(data)
                self.turn()
        except (BlockingIOError, ConnectionResetError):
            pass
        return b"".join(parts)

    def statuses(self) -> list[int]:
        return [answer.status for answer in all_answers(self.received())]

    def close(self) -> None:
        self.client.close()
        self.connection.close()
        self.selector.close()
