"""One non-blocking connection to the live store, driven by the edge worker's loop.

Everything that is sent between two flushes leaves in one write, and replies come back in order: many requests share a round
trip, and a slow store stops nobody but those who wait for it. Parsing and packing are hiredis', only the framing is ours.
"""

import errno
import logging
import os
import selectors
import socket
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

import hiredis

from baliza.errors import BadSetting, StoreDown
from baliza.stores import MARK
from schema import keys
from tracker.observe import Command, Joint
from tracker.watch import Watching

__all__ = ["RedisLink", "Server", "Waiting", "key_of", "parse_url", "tag_of"]

log = logging.getLogger("baliza.edge")

# Called with the replies in order, or with what went wrong.
Waiting = Callable[[Sequence[Any] | StoreDown], None]
# The same for one observation: called with its marks.
Marked = Callable[[bytes | StoreDown], None]
# Observations of one call: while it runs, the store does nothing else.
SHARED_MOST: Final = 64
SHARED_MOST_BYTES: Final = 64 * 1024
RETRY_S: Final = 0.25
RETRY_MOST_S: Final = 1.0
READ_BYTES: Final = 256 * 1024
# More than this waiting to be written means that the store does not read: say so instead of growing.
UNSENT_MOST_BYTES: Final = 32 * 1024 * 1024
# What changes nothing needs no replica.
READS: Final = frozenset({"GET", "HVALS", "PING", "ECHO", "CLUSTER"})
FUNCTION_CALLS: Final = frozenset({"FCALL", "EVAL", "EVALSHA"})
# Of a time-out: one flush waits for replicas while the next one waits for it, and both answer in time.
REPLICAS_SHARE: Final = 1 / 3


class RedisLink:
    """States: down (next try at `retry_at`), connecting, ready. All methods are the loop's; none blocks, but for the look-up
    of the store's name when connecting.

    wait_replicas: so many replicas must have all of a flush before any reply of it counts. The store is asked once a flush
    (WAIT), and the next flush waits for its answer: what arrives meanwhile shares one question.
    """

    def __init__(
        self,
        place: "str | Server",
        selector: Watching,
        timeout_s: float,
        library: str,
        wait_replicas: int = 0,
    ) -> None:
        self._server = parse_url(place) if isinstance(place, str) else place
        self._attempts = 0
        self._selector, self._timeout_s = selector, timeout_s
        self._load: Command = ("FUNCTION", "LOAD", "REPLACE", library)
        self._loading, self._said, self._quiet_until = False, "", 0.0
        self._socket: socket.socket | None = None
        self._ready = False
        self._unsent = bytearray()
        # How many replies, for whom, until when, and whether they need the replicas.
        self._waiting: deque[tuple[int, Waiting, float, bool]] = deque()
        self._replies: list[Any] = []
        self._reader = hiredis.Reader()
        self._retry_at, self._retry_s = 0.0, RETRY_S
        self._events = 0
        self._wait_replicas, self._wait_ms = wait_replicas, int(timeout_s * 1000 * REPLICAS_SHARE)
        self._mark, self._settling, self._settle_by = "", False, 0.0
        self._later = bytearray()
        self._held: list[tuple[Waiting, Sequence[Any]]] = []
        self._shared, self._shared_at = Joint(), 0.0
        self._sharing: list[Marked] = []

    def send(self, commands: Sequence[Command], done: Waiting, now: float) -> None:
        """Queue commands; `done` is called once, with all their replies or with StoreDown. They leave with flush()."""
        if not self._ready:
            done(StoreDown("the live store does not answer"))
        elif len(self._unsent) + len(self._later) > UNSENT_MOST_BYTES:
            done(StoreDown("the live store does not keep up"))
        else:
            settle = self._wait_replicas > 0 and commands[-1][0] not in READS
            self._queue(commands, done, now, settle=settle)
            if settle:
                self._mark, self._settle_by = keys.mark(tag_of(key_of(commands[-1]))), now + self._timeout_s

    def observe(self, command: Command, done: Marked, now: float) -> None:
        """As send(), for one of observe_command(): those of one flush share calls. `done` is called with its marks."""
        if not self._ready:
            done(StoreDown("the live store does not answer"))
            return
        self._shared.add(command)
        self._sharing.append(done)
        self._shared_at = now
        if len(self._sharing) >= SHARED_MOST or self._shared.bytes >= SHARED_MOST_BYTES:
            self._send_shared()

    def _send_shared(self) -> None:
        shared, self._shared, sharing, self._sharing = self._shared, Joint(), self._sharing, []
        now = self._shared_at

        def answered(replies: Sequence[Any] | StoreDown) -> None:
            if isinstance(replies, StoreDown):
                for done in sharing:
                    done(StoreDown(replies.public))  # one each: whoever is told may raise it
                return
            for done, marks in zip(sharing, replies[0], strict=True):
                if isinstance(marks, hiredis.ReplyError):
                    self._complain(str(marks), now)
                    done(StoreDown("the live store could not take it"))
                else:
                    done(marks)

        self.send([shared.command()], answered, now)

    def _queue(self, commands: Sequence[Command], done: Waiting, now: float, *, settle: bool = False) -> None:
        queue = self._later if self._settling else self._unsent
        for command in commands:
            queue += hiredis.pack_command(command)  # type: ignore[arg-type]
        self._waiting.append((len(commands), done, now + self._timeout_s, settle))

    def flush(self) -> None:
        """Write what is queued, as far as the socket takes it."""
        if self._sharing:
            self._send_shared()
        if self._socket is None or self._settling:
            return
        if self._mark:
            self._settle()
        if self._unsent and not self._events & selectors.EVENT_WRITE:
            self._write()

    def _settle(self) -> None:
        """Ask for the replicas behind all that is queued. WAIT looks at what its own connection wrote, and a repeated event
        writes nothing though its first try may be on its way to the replicas: a mark of our own stands for both."""
        commands: list[Command] = [("EVAL", MARK, 1, self._mark), ("WAIT", self._wait_replicas, self._wait_ms)]
        self._queue(commands, self._settled, self._settle_by - self._timeout_s)
        self._mark, self._settling = "", True

    def _settled(self, replies: Sequence[Any] | StoreDown) -> None:
        held, self._held = self._held, []
        self._settling = False
        self._unsent += self._later
        self._later.clear()
        now = self._settle_by - self._timeout_s
        failed = replies if isinstance(replies, StoreDown) else self._too_few(replies, now)
        for done, answer in held:
            if failed and not all(isinstance(reply, hiredis.ReplyError) for reply in answer):
                done(failed)
            else:
                self._give(done, answer, now)

    def _too_few(self, replies: Sequence[Any], now: float) -> StoreDown | None:
        """A master that has just become a replica refuses the wait. Where only the mark's own slot has moved, WAIT has seen
        to whatever else this connection wrote.
        """
        mark, have = replies
        moved = isinstance(mark, hiredis.ReplyError) and str(mark).startswith(("MOVED", "ASK"))
        for reply in (have,) if moved else replies:
            if isinstance(reply, hiredis.ReplyError):
                self._complain(str(reply), now)
                return StoreDown("the live store could not take it")
        if have >= self._wait_replicas:
            return None
        self._complain(f"{have} of {self._wait_replicas} replicas have it after {self._wait_ms} ms", now)
        return StoreDown("the live store's replicas do not keep up")

    def tick(self, now: float) -> None:
        """Connect when it is time to, and give up on a store that does not answer in time."""
        if self._socket is None:
            if now >= self._retry_at:
                self._connect(now)
        elif self._waiting and now > self._waiting[0][2]:
            self._fail(f"no answer within {self._timeout_s} s", now)

    def on_event(self, mask: int, now: float) -> None:
        """The selector's call for this connection, which may have been closed since the selector was asked."""
        if self._socket is None:
            return
        try:
            if mask & selectors.EVENT_WRITE:
                self._write()
            if mask & selectors.EVENT_READ:
                self._read(now)
        except (OSError, hiredis.HiredisError) as error:
            self._fail(str(error), now)

    def lose(self, why: str, now: float) -> None:
        """Drop the connection, tell whoever waits, and try again soon."""
        self._fail(why, now)

    def close(self) -> None:
        """Drop the connection; whoever waits is told."""
        self._drop("closing")

    @property
    def idle(self) -> bool:
        return not (self._waiting or self._sharing)

    def _connect(self, now: float) -> None:
        """Looked up anew each time, for a store that is started again may have moved; of several addresses take turns."""
        try:
            addresses = self._server.addresses()
            family, address = addresses[self._attempts % len(addresses)]
            self._socket = socket.socket(family, socket.SOCK_STREAM)
            self._socket.setblocking(False)
            if family != socket.AF_UNIX:
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            failed = self._socket.connect_ex(address)
            if failed not in (0, errno.EINPROGRESS):
                raise OSError(failed, os.strerror(failed))
        except OSError as error:
            self._fail(str(error), now)
            return
        self._reader = hiredis.Reader()
        self._queue(self._first_words(), self._greeted, now)
        self._watch(selectors.EVENT_READ | selectors.EVENT_WRITE)

    def _first_words(self) -> list[Command]:
        return [*self._server.greeting, self._load]

    def _greeted(self, replies: Sequence[Any] | StoreDown) -> None:
        if isinstance(replies, StoreDown):
            return
        refused = [reply for reply in replies if isinstance(reply, hiredis.ReplyError)]
        if refused:
            raise OSError(f"the live store refuses us: {refused[0]}")
        self._ready, self._retry_s = True, RETRY_S
        log.info("live store reached")

    def _load_again(self, now: float) -> None:
        """The functions are gone though the connection is not: somebody flushed them, or a replica took over."""
        if not self._loading:
            self._loading = True
            self._queue([self._load], self._loaded, now)

    def _loaded(self, replies: Sequence[Any] | StoreDown) -> None:
        self._loading = False
        if not isinstance(replies, StoreDown):
            log.warning("live store had lost its functions; they are loaded again")

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

    def _read(self, now: float) -> None:
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
            count, done, _, settle = self._waiting[0]
            if len(self._replies) == count:
                self._waiting.popleft()
                replies, self._replies = self._replies, []
                if settle:
                    self._held.append((done, replies))
                else:
                    self._give(done, replies, now)

    def _give(self, done: Waiting, replies: Sequence[Any], now: float) -> None:
        """An error among the replies (full, read only, loading) means that nothing of it was accepted for certain."""
        for reply in replies:
            if isinstance(reply, hiredis.ReplyError) and done != self._greeted:
                self._complain(str(reply), now)
                done(StoreDown("the live store could not take it"))
                return
        done(replies)

    def _complain(self, error: str, now: float) -> None:
        if error != self._said or now >= self._quiet_until:  # a full store says so to every request
            self._said, self._quiet_until = error, now + 1.0
            log.error("the live store answered: %s", error)
        if "Function not found" in error:
            self._load_again(now)

    def _fail(self, why: str, now: float) -> None:
        if self._ready or self._retry_s == RETRY_S:
            log.warning("live store lost: %s", why)
        self._attempts += not self._ready
        self._retry_at, self._retry_s = now + self._retry_s, min(self._retry_s * 2, RETRY_MOST_S)
        self._drop(why)

    def _drop(self, why: str) -> None:
        if self._socket is not None:
            if self._events:
                self._selector.unregister(self._socket)
            self._socket.close()
        self._socket, self._events, self._ready = None, 0, False
        self._unsent.clear()
        self._later.clear()
        self._mark, self._replies = "", []
        waiting, self._waiting = self._waiting, deque()
        for _, done, _, _ in waiting:
            done(StoreDown("the live store does not answer", why))
        if self._sharing:
            self._send_shared()  # to nobody: they are told


def key_of(command: Command) -> str:
    """The (first) key of a command."""
    return str(command[3] if command[0] in FUNCTION_CALLS else command[1])


def tag_of(key: str) -> str:
    """What decides in which slot a key lies: what is between its first braces, else the whole of it."""
    begin = key.find("{") + 1
    end = key.find("}", begin)
    return key[begin:end] if 0 < begin < end else key


@dataclass(frozen=True)
class Server:
    """Where the live store is and what it wants to hear first."""

    host: str
    port: int
    path: str  # of a Unix socket; empty: TCP
    greeting: tuple[Command, ...]

    def addresses(self) -> list[tuple[int, Any]]:
        """(family, address) of each way to it. Blocks while a name is looked up; OSError when it has none."""
        if self.path:
            return [(socket.AF_UNIX, self.path)]
        return [(info[0], info[4]) for info in socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)]


def parse_url(url: str) -> Server:
    """Of redis://[user:password@]host:port/db or unix://[:password@]/path?db=0, as redis-py reads them."""
    parts = urlsplit(url)
    query = parse_qs(parts.query)
    if parts.scheme == "unix":
        path, database = unquote(parts.path), ""
    elif parts.scheme == "redis" and parts.hostname:
        path, database = "", parts.path.strip("/")
    else:
        raise BadSetting(f"redis_url: expected redis://host:port/0 or unix:///path, got the scheme {parts.scheme!r}")
    database = query.get("db", [database])[0] or "0"
    greeting: list[Command] = []
    if parts.password:
        user = (unquote(parts.username),) if parts.username else ()
        greeting.append(("AUTH", *user, unquote(parts.password)))
    if database != "0":
        greeting.append(("SELECT", database))
    return Server(parts.hostname or "", parts.port or 6379, path, tuple(greeting))
