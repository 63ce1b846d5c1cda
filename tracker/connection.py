"""One client connection of the edge worker: bytes in, requests out, answers back. The parser is httptools' (llhttp).

Bounded in everything: head, body, requests waiting, time. Requests of one connection are answered one after the other, so
that pipelined answers keep their order.
"""

import selectors
import socket
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

import httptools

from baliza.errors import BadRequest, BalizaError, TooLarge
from schema.events import MAX_BODY_BYTES
from tracker.heads import Head, Heads, split
from tracker.request import Answer, Request, origin_form, problem_answer, readable_by
from tracker.watch import Watching

__all__ = ["Connection"]

MAX_HEAD_BYTES: Final = 16 * 1024
MAX_HEADERS: Final = 100
# Head, body and all that chunks and trailers put around it, in bodies.
MESSAGE_BODIES: Final = 4
HEAD_TOO_LARGE: Final = f"expected a request head of at most {MAX_HEAD_BYTES} bytes and {MAX_HEADERS} headers, got more"
MAX_PIPELINED: Final = 32
# A client that has this much to read before it gets on is asked nothing more, so that answers do not pile up here.
MAX_UNREAD_BYTES: Final = 64 * 1024
READ_BYTES: Final = 64 * 1024
READ: Final = selectors.EVENT_READ
KEEP_ALIVE_S: Final = 60.0
LINGER_S: Final = 2.0
TOO_SLOW: Final = Answer(408, [("Content-Type", "text/plain")], b"too slow\n")

# Every client writes the same few names, each in its own way.
_NAMES: Final = {
    spelt.encode(): name
    for name in (
        "accept", "accept-encoding", "accept-language", "connection", "content-length", "content-type", "cookie", "dnt",
        "host", "origin", "referer", "sec-fetch-dest", "sec-fetch-mode", "sec-fetch-site", "sec-gpc", "user-agent",
        "x-forwarded-for",
    )
    for spelt in (name, name.title())
}  # fmt: skip

Handle = Callable[["Connection", Request], None]
Forget = Callable[["Connection"], None]
# Of a target and headers: how large a body is taken. Asked about requests only that have a larger one than batches have.
Larger = Callable[[bytes, Mapping[str, str]], int]


class Connection:
    """The parser's callbacks and the socket's two directions. `handle` gets one request at a time and calls answer();
    `forget` is called once, when the connection is closed.
    """

    def __init__(
        self,
        sock: socket.socket,
        peer: str,
        selector: Watching,
        handle: Handle,
        forget: Forget,
        timeout_s: float,
        now: float,
        heads: Heads,
        larger: Larger = lambda _target, _headers: MAX_BODY_BYTES,
    ) -> None:
        sock.setblocking(False)
        self.sock, self._peer, self._selector, self._handle, self._forget = sock, peer, selector, handle, forget
        self._heads, self._larger = heads, larger
        self._timeout_s = timeout_s
        self._parser = httptools.HttpRequestParser(self)
        self._queue: deque[tuple[Request, bool]] = deque()
        self._queued_bytes = 0
        self._out = bytearray()
        self._events = selectors.EVENT_READ
        self._failed: Answer | None = None
        self._advancing = self._ended = self._closing = self._lingering = False
        self._keep_alive, self._persistence = True, ""
        self._in_message = self._in_head = False
        self._fed = 0  # how much of the last read belongs to the message that is being parsed, as far as is known
        self.leaving = False  # the next answer with nothing behind it is the last
        self.busy = self.closed = False
        self.heard_at, self.deadline = now, now + timeout_s
        self._reset()
        selector.register(sock, self._events, self)

    def _reset(self) -> None:
        self._target = b""
        self._lines: list[tuple[bytes, bytes]] = []
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._body_bytes = self._trailer_bytes = self._unfinished_bytes = 0
        self._most = MAX_BODY_BYTES

    # --- the parser's callbacks ---

    def on_message_begin(self) -> None:
        self._in_message = self._in_head = True

    def on_url(self, part: bytes) -> None:
        self._target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        # Of a trailer nothing is kept: nobody waits for one, and a proxy that cleans headers may not clean these.
        if self._in_head:
            self._lines.append((name, value))
            return
        self._trailer_bytes += len(name) + len(value)
        if self._trailer_bytes > MAX_HEAD_BYTES:
            raise TooLarge(HEAD_TOO_LARGE)

    def on_headers_complete(self) -> None:
        self._in_head = False
        headers, size = self._headers, len(self._target)
        for name, value in self._lines:
            size += len(name) + len(value)
            # The parser leaves blanks behind a value: "Sec-GPC: 1 " is a 1 all the same.
            key, text = _NAMES.get(name) or name.decode("latin-1").lower(), value.decode("latin-1").rstrip(" \t")
            if key in headers:
                if key == "host":
                    raise BadRequest("expected one Host header, got two")
                text = headers[key] + ("; " if key == "cookie" else ", ") + text
            headers[key] = text
        if size > MAX_HEAD_BYTES or len(self._lines) > MAX_HEADERS:
            raise TooLarge(HEAD_TOO_LARGE)
        if headers.get("transfer-encoding", "chunked").lower() != "chunked":
            raise BadRequest(f"expected no transfer coding but chunked, got {headers['transfer-encoding']}")
        length = headers.get("content-length", "0")
        if length.isdigit() and int(length) > MAX_BODY_BYTES:
            self._most = self._larger(self._target, headers)
            if int(length) > self._most:
                raise TooLarge(f"expected a body of at most {self._most} bytes, got {length}")
        if "expect" in headers and headers["expect"].lower() == "100-continue" and self._parser.get_http_version() == "1.1":
            self._out += b"HTTP/1.1 100 Continue\r\n\r\n"

    def on_body(self, part: bytes) -> None:
        self._body.append(part)
        self._body_bytes += len(part)
        if self._body_bytes > self._most:
            self._most = self._larger(self._target, self._headers)
            if self._body_bytes > self._most:
                raise TooLarge(f"expected a body of at most {self._most} bytes, got more")

    def on_message_complete(self) -> None:
        self._in_message, self._fed = False, 0
        method = self._parser.get_method().decode("latin-1")
        if method == "CONNECT":
            raise BadRequest("expected a request to this server, got CONNECT")
        if "upgrade" in self._headers and self._parser.should_upgrade():
            return  # the body is still to come: see _feed
        self._headers.pop("content-length", None)  # the body says it, and requests that differ in nothing else share headers
        target = self._target.decode("latin-1")
        if not target.startswith("/"):
            target = origin_form(target)
        request = Request(method, target, self._headers, b"".join(self._body), self._peer)
        self._queue.append((request, self._parser.should_keep_alive()))
        self._queued_bytes += len(request.body)
        self._reset()
        if len(self._queue) > MAX_PIPELINED:
            raise BadRequest(f"expected at most {MAX_PIPELINED} requests before the first answer, got more")

    # --- the socket ---

    def on_event(self, mask: int, now: float) -> None:
        """The selector's call for this connection."""
        if mask != READ:
            if mask & selectors.EVENT_WRITE:
                self._write()
                self.advance()
            if not mask & READ or self.closed:
                return
        self._read(now)

    def _read(self, now: float) -> None:
        try:
            data = self.sock.recv(READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.close()
            return
        if not data:
            # The client has said all it wants to say; it may still read what it asked for.
            self._ended = True
            self._settle()
            return
        if self._lingering:
            return
        self.heard_at = now
        if not (self.busy or self._out or self._queue or self._in_message):
            self.deadline = now + self._timeout_s
            key, begin = split(data)
            if key and not (self._failed or self._closing):
                if head := self._heads.get(key):
                    self._take_known(head, data[begin:])
                    return
                self._parse(data)
                self._learn(key, data[begin:])
                self.advance()
                return
        self._parse(data)
        self.advance()

    def _take_known(self, head: Head, body: bytes) -> None:
        """Hand out a request whose head was read before. The parser is between two messages, and stays there."""
        self.busy = self._keep_alive = True
        self._persistence = head.persistence
        self._handle(self, Request("POST", "/o", head.headers, body, self._peer, head))

    def _learn(self, key: bytes, body: bytes) -> None:
        """Remember the head that was just read, if the parser sees what we see: one whole request with this body."""
        if self._failed or self._in_message or len(self._queue) != 1:
            return
        request, keep_alive = self._queue[0]
        if keep_alive and request.body == body:
            persistence = _persistence(request.headers)
            request.head = self._heads.learn(key, request.method, request.target, request.headers, persistence)

    def _parse(self, data: bytes) -> None:
        try:
            self._feed(data)
            if self._in_message:
                # What is unfinished the parser keeps to itself, so it is counted by what was fed.
                self._unfinished_bytes += self._fed
                if self._unfinished_bytes > (MAX_HEAD_BYTES if self._in_head else MESSAGE_BODIES * self._most):
                    raise TooLarge(HEAD_TOO_LARGE)
        except TooLarge as error:
            self._refuse(error)
        except httptools.HttpParserCallbackError as error:
            cause = error.__context__
            self._refuse(cause if isinstance(cause, BadRequest) else BadRequest("the request could not be read"))
        except httptools.HttpParserError as error:
            self._refuse(BadRequest(f"expected an HTTP/1.1 request, got something else: {error}"))

    def _refuse(self, error: BalizaError) -> None:
        """To a page of another origin a refusal that it cannot read looks like a broken network, and it asks for ever."""
        self._failed = problem_answer(error)
        if origin := self._headers.get("origin"):
            self._failed.headers.extend(readable_by(origin))

    def _feed(self, data: bytes) -> None:
        self._fed = len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            # An offer to speak another protocol (h2c, by some clients with every request) may be ignored. The parser
            # ends the message there, before its body: it is read again, by a new one, without the offer.
            again = _head_without_upgrade(self._parser, self._target, self._headers)
            self._parser = httptools.HttpRequestParser(self)
            self._reset()
            self._feed(again + data[upgrade.args[0] :])

    def advance(self) -> None:
        """Hand out the next request when none is being answered; after the last good one, say what was wrong."""
        if self._advancing:
            return
        self._advancing = True
        while self._queue and not (self.busy or self.closed or self._closing or len(self._out) > MAX_UNREAD_BYTES):
            self.busy = True
            request, self._keep_alive = self._queue.popleft()
            self._queued_bytes -= len(request.body)
            self._persistence = _persistence(request.headers)
            self._handle(self, request)
        self._advancing = False
        if self._failed and not (self.busy or self._queue or self._closing):
            self._keep_alive = False
            self._send(self._failed, head_only=False)
        else:
            self._settle()

    def answer(self, answer: Answer, now: float, *, head_only: bool = False) -> None:
        """The answer to the request that was handed out last; then the next one is handed out."""
        self.busy = False
        self.deadline = now + KEEP_ALIVE_S
        if not self.closed:
            self._send(answer, head_only=head_only)
            self.advance()

    def _send(self, answer: Answer, *, head_only: bool) -> None:
        last = not self._keep_alive or (self.leaving and not self._queue)
        self._out += answer.head("close" if last else self._persistence)
        if answer.body and answer.has_body and not head_only:
            self._out += answer.body
        self._closing = self._closing or last
        self._write()

    def _write(self) -> None:
        try:
            sent = self.sock.send(self._out) if self._out else 0
            del self._out[:sent]
        except (BlockingIOError, InterruptedError):
            pass
        except OSError:
            self.close()
            return
        self._settle()

    def _settle(self) -> None:
        """Close when all is said. Else listen for what is wanted, and read only while there is room: a client that sends
        faster than it is answered waits in its own buffers.
        """
        if self.closed:
            return
        if self._events == selectors.EVENT_READ and not (
            self._out or self._closing or self._ended or self._failed or self._queue or self._queued_bytes
        ):
            return  # as nearly always: all is said, more may come
        if not self._out and (self._closing or (self._ended and not self.busy and not self._queue)):
            self._finish()
            return
        wants = selectors.EVENT_WRITE if self._out else 0
        full = len(self._queue) >= MAX_PIPELINED // 2 or self._queued_bytes > MAX_BODY_BYTES
        full = full or len(self._out) > MAX_UNREAD_BYTES
        if not (full or self._closing or self._ended or self._failed):
            wants |= selectors.EVENT_READ
        self._watch(wants)

    def _watch(self, wants: int) -> None:
        if wants == self._events:
            return
        if not wants:
            self._selector.unregister(self.sock)
        elif self._events:
            self._selector.modify(self.sock, wants, self)
        else:
            self._selector.register(self.sock, wants, self)
        self._events = wants

    def _finish(self) -> None:
        """Close. A client that is still sending what was refused would lose the answer to a reset: let it end first."""
        if self._ended or self._failed is None:
            self.close()
        elif not self._lingering:
            self._lingering = True
            self.deadline = min(self.deadline, self.heard_at + LINGER_S)
            with suppress(OSError):
                self.sock.shutdown(socket.SHUT_WR)
            self._watch(selectors.EVENT_READ)

    def close(self) -> None:
        """Close for good; an answer that comes later is dropped."""
        if not self.closed:
            self.closed = True
            if self._events:
                self._selector.unregister(self.sock)
                self._events = 0
            self.sock.close()
            self._forget(self)

    def expire(self) -> None:
        """The client was too slow. One that is in the middle of a request is told so, as far as it listens."""
        if self._in_message and not (self._out or self._lingering):
            self._keep_alive = False
            self._send(TOO_SLOW, head_only=False)
        self.close()

    def answer_whole(self, answer: bytes, now: float) -> bool:
        """As answer(), with bytes that keep the connection open as the request asked for, head and body; False, and nothing
        has happened, where it is not that simple.
        """
        if self._queue or self._out or self.leaving or self.closed or self._ended or self._failed or not self._keep_alive:
            return False
        self.busy = False
        self.deadline = now + KEEP_ALIVE_S
        try:
            sent = self.sock.send(answer)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:
            self.close()
            return True
        if sent < len(answer) or self._events != selectors.EVENT_READ:
            self._out += answer[sent:]
            self._settle()
        return True

    @property
    def receiving(self) -> bool:
        """The client is in the middle of a request, and nothing else happens."""
        return self._in_message and not (self.busy or self._out or self._queue)

    @property
    def idle(self) -> bool:
        """Nothing is being asked or answered."""
        return not (self.busy or self._out or self._queue or self._in_message)


def _persistence(headers: Mapping[str, str]) -> str:
    # HTTP/1.0 needs it confirmed; nobody else minds.
    return "keep-alive" if "connection" in headers else ""


def _head_without_upgrade(parser: Any, target: bytes, headers: Mapping[str, str]) -> bytes:
    lines = [f"{name}: {value}" for name, value in headers.items() if name != "upgrade"]
    text = f" HTTP/{parser.get_http_version()}\r\n" + "".join(f"{line}\r\n" for line in lines) + "\r\n"
    return bytes(parser.get_method()) + b" " + target + text.encode("latin-1")
