"""One non-blocking connection to the live store, driven by the edge worker's loop.

Everything that is sent between two flushes leaves in one write, and replies come back in order: many requests share a round
trip, and a slow store stops nobody but those who wait for it. Parsing and packing are hiredis', only the framing is ours.
"""

import errno
import logging
import selectors
import socket
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import hiredis

from baliza.errors import BadSetting, StoreDown
from tracker.observe import Command

__all__ = ["RedisLink", "Waiting"]

log = logging.getLogger("baliza.edge")

# Called with the replies in order, or with what went wrong.
Waiting = Callable[[Sequence[Any] | StoreDown], None]
RETRY_S: Final = 0.25
RETRY_MOST_S: Final = 2.0
READ_BYTES: Final = 256 * 1024
# More than this waiting to be written means that the store does not read: say so instead of growing.
UNSENT_MOST_BYTES: Final = 32 * 1024 * 1024


class RedisLink:
    """States: down (next try at `retry_at`), connecting, ready. All methods are the loop's; none blocks."""

    def __init__(self, url: str, selector: selectors.BaseSelector, timeout_s: float, library: str) -> None:
        self._family, self._address, self._greeting = _parse(url)
        self._selector, self._timeout_s, self._library = selector, timeout_s, library
        self._socket: socket.socket | None = None
        self._ready = False
        self._unsent = bytearray()
        self._waiting: deque[tuple[int, Waiting, float]] = deque()
        self._replies: list[Any] = []
        self._reader = hiredis.Reader()
        self._retry_at, self._retry_s = 0.0, RETRY_S
        self._events = 0

    def send(self, commands: Sequence[Command], done: Waiting, now: float) -> None:
        """Queue commands; `done` is called once, with all their replies or with StoreDown. They leave with flush()."""
        if not self._ready:
            done(StoreDown("the live store does not answer"))
        elif len(self._unsent) > UNSENT_MOST_BYTES:
            done(StoreDown("the live store does not keep up"))
        else:
            for command in commands:
                self._unsent += hiredis.pack_command(command)  # type: ignore[arg-type]
            self._waiting.append((len(commands), done, now + self._timeout_s))

    def flush(self) -> None:
        """Write what is queued, as far as the socket takes it."""
        if self._socket is None or not self._unsent or self._events & selectors.EVENT_WRITE:
            return
        self._write()

    def tick(self, now: float) -> None:
        """Connect when it is time to, and give up on a store that does not answer in time."""
        if self._socket is None:
            if now >= self._retry_at:
                self._connect(now)
        elif self._waiting and now > self._waiting[0][2]:
            self._fail(f"no answer within {self._timeout_s} s", now)

    def on_event(self, mask: int, now: float) -> None:
        """The selector's call for this connection."""
        try:
            if mask & selectors.EVENT_WRITE:
                self._write()
            if mask & selectors.EVENT_READ:
                self._read()
        except (OSError, hiredis.HiredisError) as error:
            self._fail(str(error), now)

    def close(self) -> None:
        """Drop the connection; whoever waits is told."""
        self._fail("closing", 0.0)

    @property
    def idle(self) -> bool:
        return not self._waiting

    def _connect(self, now: float) -> None:
        self._socket = socket.socket(self._family, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        if self._family != socket.AF_UNIX:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        failed = self._socket.connect_ex(self._address)
        if failed not in (0, errno.EINPROGRESS):
            self._fail(errno.errorcode.get(failed, str(failed)), now)
            return
        self._reader = hiredis.Reader()
        greeting = [*self._greeting, ("FUNCTION", "LOAD", "REPLACE", self._library)]
        for command in greeting:
            self._unsent += hiredis.pack_command(command)  # type: ignore[arg-type]
        self._waiting.append((len(greeting), self._greeted, now + self._timeout_s))
        self._watch(selectors.EVENT_READ | selectors.EVENT_WRITE)

    def _greeted(self, replies: Sequence[Any] | StoreDown) -> None:
        if isinstance(replies, StoreDown):
            return
        refused = [reply for reply in replies if isinstance(reply, hiredis.ReplyError)]
        if refused:
            raise OSError(f"the live store refuses us: {refused[0]}")
        self._ready, self._retry_s = True, RETRY_S

    def _watch(self, events: int) -> None:
        assert self._socket is not None
        if events != self._events:
            if self._events:
                self._selector.modify(self._socket, events, self)
            else:
                self._selector.register(self._socket, events, self)
            self._events = events

    def _write(self) -> None:
        assert self._socket is not None
        try:
            sent = self._socket.send(self._unsent)
            del self._unsent[:sent]
        except BlockingIOError:
            pass
        except OSError:
            # What is wrong shows at the next read, which fails in the same place as any other loss of the connection.
            self._unsent.clear()
        self._watch(selectors.EVENT_READ | (selectors.EVENT_WRITE if self._unsent else 0))

    def _read(self) -> None:
        assert self._socket is not None
        try:
            data = self._socket.recv(READ_BYTES)
        except BlockingIOError:
            return
        if not data:
            raise OSError("it closed the connection")
        self._reader.feed(data)
        while self._waiting and (reply := self._reader.gets()) is not False:
            self._replies.append(reply)
            count, done, _ = self._waiting[0]
            if len(self._replies) == count:
                self._waiting.popleft()
                replies, self._replies = self._replies, []
                done(_or_error(replies) if done is not self._greeted else replies)

    def _fail(self, why: str, now: float) -> None:
        if self._socket is not None:
            if self._events:
                self._selector.unregister(self._socket)
            self._socket.close()
        if self._ready or self._retry_s == RETRY_S:
            log.warning("live store lost: %s", why)
        self._socket, self._events, self._ready = None, 0, False
        self._unsent.clear()
        self._replies = []
        waiting, self._waiting = self._waiting, deque()
        self._retry_at, self._retry_s = now + self._retry_s, min(self._retry_s * 2, RETRY_MOST_S)
        for _, done, _ in waiting:
            done(StoreDown(f"the live store does not answer: {why}"))


def _or_error(replies: list[Any]) -> Sequence[Any] | StoreDown:
    """An error reply (full, read only, loading, library gone) means that nothing of it was accepted for certain."""
    for reply in replies:
        if isinstance(reply, hiredis.ReplyError):
            log.error("the live store answered: %s", reply)
            return StoreDown("the live store could not take it")
    return replies


def _parse(url: str) -> tuple[int, Any, list[Command]]:
    """(address family, address, commands to greet with) of redis://[user:password@]host:port/db or unix://path?db=0."""
    parts = urlsplit(url)
    database = parts.path.strip("/") or "0"
    if parts.scheme == "unix":
        family, address, database = socket.AF_UNIX, parts.path, "0"
    elif parts.scheme == "redis" and parts.hostname:
        info = socket.getaddrinfo(parts.hostname, parts.port or 6379, type=socket.SOCK_STREAM)[0]
        family, address = info[0], info[4]  # type: ignore[assignment]
    else:
        raise BadSetting(f"redis_url: expected redis://host:port/0 or unix:///path, got the scheme {parts.scheme!r}")
    greeting: list[Command] = []
    if parts.password:
        user = (unquote(parts.username),) if parts.username else ()
        greeting.append(("AUTH", *user, unquote(parts.password)))
    if database != "0":
        greeting.append(("SELECT", database))
    return family, address, greeting
