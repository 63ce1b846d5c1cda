"""The far end of the wire for tests of what sends: takes POST /o, writes down what came, answers what it is told to."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from typing import Any, NamedTuple

from loadtests.listening import Listening


class Reply(NamedTuple):
    """What to answer."""

    status: int = 202
    headers: dict[str, str] = {}  # noqa: RUF012 - never changed
    body: bytes = b""


class Sent(NamedTuple):
    """What came: headers by lower-case name, the body decoded, and the client's port (one a connection)."""

    headers: dict[str, str]
    body: dict[str, Any]
    port: int


class _Handler(BaseHTTPRequestHandler):
    far_end: "FarEnd"
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        assert self.path == "/o"
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.far_end.requests.append(Sent(headers, body, self.client_address[1]))
        reply = self.far_end.answer(body)
        self.send_response(reply.status)
        for name, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
            self.send_header(name, value)
        with suppress(BrokenPipeError, ConnectionResetError):  # the client may have been killed
            self.end_headers()
            self.wfile.write(reply.body)

    def log_message(self, *_args: object) -> None:
        """Quiet."""


class FarEnd(Listening):
    """`answer` decides about each request; requests are kept in the order of their arrival, with those answered 503."""

    def __init__(self, answer: Callable[[dict[str, Any]], Reply]) -> None:
        self.requests: list[Sent] = []
        self.answer = answer
        super().__init__(_Handler)
        self.url = self.origin

    @property
    def events(self) -> list[dict[str, Any]]:
        return [event for sent in self.requests for event in sent.body["events"]]


@contextmanager
def far_end(answer: Callable[[dict[str, Any]], Reply] = lambda _body: Reply()) -> Iterator[FarEnd]:
    """A far end that listens on a free port until the block is left."""
    made = FarEnd(answer)
    try:
        yield made
    finally:
        made.stop()
