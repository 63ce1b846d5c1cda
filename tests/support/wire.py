"""HTTP/1.1 by hand, for what no well-behaved client would send: bytes out, answers in."""

import json
import socket
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import urlsplit

from tests.support.collecting import event


class Got(NamedTuple):
    """One answer. Header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


def split_answer(data: bytes, *, of_head: bool = False) -> tuple[Got, bytes] | None:
    """The first whole answer and what follows it; None when it is not whole yet."""
    head, found, rest = data.partition(b"\r\n\r\n")
    if not found:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    length = 0 if of_head else int(headers.get("content-length", "0"))
    if len(rest) < length:
        return None
    return Got(int(first.split()[1]), headers, rest[:length]), rest[length:]


def all_answers(data: bytes) -> list[Got]:
    """Every answer in the bytes; they must end with a whole one."""
    found = []
    while data:
        split = split_answer(data)
        assert split, f"an answer is cut short: {data[:200]!r}"
        found.append(split[0])
        data = split[1]
    return found


def batch(*event_ids: str, visitor: str = "v-1") -> bytes:
    """A good body of the demo site."""
    events = [event(event_id=event_id, at=datetime.now(UTC)) for event_id in event_ids]
    return json.dumps({"key": "pk_demo", "visitor": visitor, "events": events}).encode()


def post(body: bytes, *headers: str, target: str = "/o", version: str = "1.1") -> bytes:
    """The bytes of a POST with Content-Length."""
    lines = [f"POST {target} HTTP/{version}", "Host: collector.test", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def get(target: str, *headers: str, method: str = "GET", version: str = "1.1") -> bytes:
    return (
        "\r\n".join([f"{method} {target} HTTP/{version}", "Host: collector.test", *headers]).encode("latin-1") + b"\r\n\r\n"
    )


def chunked(*parts: bytes, target: str = "/o") -> bytes:
    """The bytes of a POST in chunks."""
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
    head = f"POST {target} HTTP/1.1\r\nHost: collector.test\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head.encode() + chunks + b"0\r\n\r\n"


class Wire:
    """A blocking client connection."""

    def __init__(self, url: str, timeout_s: float = 10.0) -> None:
        parts = urlsplit(url)
        self.sock = socket.create_connection((parts.hostname, parts.port), timeout_s)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._unread = b""

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def send(self, data: bytes) -> "Wire":
        self.sock.sendall(data)
        return self

    def answer(self, *, of_head: bool = False) -> Got:
        """The next answer. ConnectionError when the connection ends before it."""
        while (split := split_answer(self._unread, of_head=of_head)) is None:
            data = self.sock.recv(65536)
            if not data:
                raise ConnectionError(f"closed before the answer; got {self._unread!r}")
            self._unread += data
        self._unread = split[1]
        return split[0]

    def ask(self, data: bytes, *, of_head: bool = False) -> Got:
        return self.send(data).answer(of_head=of_head)

    def rest(self) -> bytes:
        """All that still comes until the other side closes."""
        parts = [self._unread]
        while data := self.sock.recv(65536):
            parts.append(data)
        self._unread = b""
        return b"".join(parts)
