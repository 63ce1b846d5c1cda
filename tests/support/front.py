"""What stands before the collector: a server with the shop's pages that hands the rest on, writes it down, and may fail."""

import http.client
import json
import socket
import struct
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import urlsplit

from loadtests.listening import Listening

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"}
PASS, CUT, LOSE_ANSWER = "pass", "cut", "lose answer"
# Handed on, connection cut before the collector hears of it, cut after it took the events; or an answer of the front's own.
Fate = str | tuple[int, dict[str, str]]


@dataclass
class Arrival:
    """One POST /o that arrived whole, and the status that went back (0: none)."""

    body: dict[str, Any]
    headers: dict[str, str]
    at: float
    status: int = 0
    answer: dict[str, str] = field(default_factory=dict)

    @property
    def ids(self) -> list[str]:
        return [event["event_id"] for event in self.body["events"]]

    @property
    def types(self) -> list[str]:
        return [event["type"] for event in self.body["events"]]


class Front(Listening):
    """Pages by path; `fate` decides about each POST /o; `origin` is where it listens."""

    def __init__(self, upstream: str) -> None:
        self.pages: dict[str, str] = {}
        self.page_headers: dict[str, str] = {}
        self.arrivals: list[Arrival] = []
        self.others: list[str] = []  # method and address of everything else that was handed on
        self.fate: Callable[[Arrival], Fate] = lambda _arrival: PASS
        self._upstream = urlsplit(upstream).netloc
        super().__init__(_Handler)

    def forget(self) -> None:
        """Begin anew with an empty notebook and a good will."""
        self.arrivals, self.others, self.page_headers = [], [], {}
        self.fate = lambda _arrival: PASS

    def times_at_the_wire(self) -> Counter[str]:
        """How often each event id arrived, answered or not."""
        return Counter(event_id for arrival in list(self.arrivals) for event_id in arrival.ids)

    def twice_at_the_wire(self) -> int:
        return sum(1 for times in self.times_at_the_wire().values() if times > 1)

    def ask(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        """What the collector answers. OSError or HTTPException when it does not."""
        connection = http.client.HTTPConnection(self._upstream, timeout=60)
        try:
            connection.request(method, path, body, dict(headers))
            answer = connection.getresponse()
            kept = [(name, value) for name, value in answer.getheaders() if name.lower() not in HOP_BY_HOP]
            return answer.status, kept, answer.read()
        finally:
            connection.close()


class _Handler(BaseHTTPRequestHandler):
    far_end: Front
    protocol_version = "HTTP/1.1"
    timeout = 120

    def do_GET(self) -> None:
        page = self.far_end.pages.get(self.path.split("?")[0])
        if page is not None:
            headers = [("Content-Type", "text/html; charset=utf-8"), *self.far_end.page_headers.items()]
            return self.reply(200, headers, page.encode())
        self.far_end.others.append(f"{self.command} {self.path}")
        return self.hand_on(b"")

    do_OPTIONS = do_GET  # noqa: N815 - the name is the method's

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length)
        if len(body) < length:
            return self.cut()
        headers = {name.lower(): value for name, value in self.headers.items()}
        arrival = Arrival(json.loads(body), headers, time.monotonic())
        self.far_end.arrivals.append(arrival)
        fate = self.far_end.fate(arrival)
        if fate == CUT:
            return self.cut()
        if isinstance(fate, tuple):
            arrival.status = fate[0]
            return self.reply(fate[0], list(fate[1].items()), b"")
        return self.hand_on(body, arrival, is_answer_lost=fate == LOSE_ANSWER)

    def hand_on(self, body: bytes, arrival: Arrival | None = None, *, is_answer_lost: bool = False) -> None:
        try:
            status, headers, content = self.far_end.ask(self.command, self.path, dict(self.headers.items()), body)
        except (OSError, http.client.HTTPException):
            return self.cut()
        if arrival:
            arrival.status, arrival.answer = status, {name.lower(): value for name, value in headers}
        return self.cut() if is_answer_lost else self.reply(status, headers, content)

    def cut(self) -> None:
        """As when a process dies: the other side gets a reset."""
        self.close_connection = True
        with suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def reply(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
        self.send_response_only(status)
        for name, value in [*headers, ("Content-Length", str(len(content)))]:
            self.send_header(name, value)
        with suppress(OSError):
            self.end_headers()
            self.wfile.write(content)

    def log_message(self, *_args: object) -> None:
        """Quiet."""
