"""The hot path: a gunicorn worker class with one loop that answers /o and /o.gif itself and hands the rest to threads.

gunicorn stays the process manager (arbiter, signals, reload). One wake-up of the loop reads all that has arrived, sends it
to the live store in one write, and answers when the replies come. Why not a stock worker: docs/decisions.
"""

import gc
import os
import selectors
import socket
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

import msgspec

from baliza import metrics
from baliza.errors import BalizaError, StoreDown
from baliza.inline import Inline
from baliza.settings import Settings
from baliza.sites import decode_sites
from schema import keys
from schema.events import MAX_BODY_BYTES, MAX_FEED_BYTES
from tracker.collect import Collector, Steps, Tally
from tracker.connection import Connection
from tracker.heads import Heads
from tracker.inlining import Inlining
from tracker.quick import Observation, Quick
from tracker.redis_cluster_link import open_link
from tracker.redislink import RedisLink
from tracker.request import Answer, Request, problem_answer
from tracker.watch import make_watch
from tracker.wsgi_bridge import Wsgi, WsgiBridge

__all__ = ["EdgeApp", "Loop"]

SITES_EVERY_S: Final = 1.5
FIRST_SITES_S: Final = 2.0
TICK_S: Final = 0.25
# A connection that was heard of later than this, or began a request later, is not closed to make room.
SILENT_S: Final = 1.0
# When told to stop, silent clients are given this long to send what is already on its way.
LAST_WORDS_S: Final = 0.5
ACCEPT_AT_ONCE: Final = 64
HOT_PATHS: Final = ("/o", "/o.gif")
FEED_PATH: Final = b"/v1/catalogue"


@dataclass(frozen=True)
class EdgeApp:
    """What a worker of gunicorn runs: settings for the hot path, a WSGI app for everything else. One thread for the loop, a
    few for WSGI.

    inline: other paths that the loop answers itself. observes: whether it takes events at all.
    """

    settings: Settings
    wsgi: Wsgi
    inline: Mapping[str, Inline] = field(default_factory=dict)
    observes: bool = True

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        """As plain WSGI, without the hot path: for the worker classes of others."""
        return self.wsgi(environ, start_response)

    def run(self, worker: Any) -> None:
        """Returns when the worker is told to stop and everything that was asked has been answered."""
        # What is here now stays, and a request leaves no cycles: the collector of cycles need neither look at the one nor
        # come for the other every 700 objects.
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 50)
        Loop(self, worker.sockets, worker.PIPE[0], worker).run()


class Exchange:
    """One request of the hot path, from its steps to its answer."""

    __slots__ = ("connection", "loop", "request", "steps")

    def __init__(self, loop: "Loop", connection: Connection, request: Request) -> None:
        self.loop, self.connection, self.request = loop, connection, request
        self.steps: Steps = loop.collector.steps(request)

    def go(self, replies: Sequence[Any] | StoreDown | None = None) -> None:
        """Begin, or go on with the store's word, until it waits for the store again or is answered."""
        loop = self.loop
        try:
            failed = isinstance(replies, StoreDown)
            commands = self.steps.throw(replies) if failed else self.steps.send(replies)  # type: ignore[arg-type]
        except StopIteration as stop:
            loop.answer(self.connection, self.request, stop.value)
        except BalizaError as error:
            loop.answer(self.connection, self.request, problem_answer(error))
        except Exception:
            loop.worker.log.exception("unforeseen error at %s", self.request.path)
            loop.answer(self.connection, self.request, Answer(500))
        else:
            loop.link.send(commands, self.go, loop.now)


class Hit:
    """One request of the quick way."""

    __slots__ = ("connection", "loop", "observation")

    def __init__(self, loop: "Loop", connection: Connection, observation: Observation) -> None:
        self.loop, self.connection, self.observation = loop, connection, observation

    def done(self, marks: bytes | StoreDown) -> None:
        """The store's word."""
        loop, observation = self.loop, self.observation
        try:
            if isinstance(marks, StoreDown):
                answer = loop.collector.refused(observation.request, marks)
            elif marks == observation.all_taken and self.connection.answer_whole(observation.accepted, loop.now):
                loop.count_taken(observation.site, observation.events)
                return
            else:
                answer = loop.quick.answer(observation, marks)
        except Exception:
            loop.worker.log.exception("unforeseen error at %s", observation.request.path)
            answer = Answer(500)
        loop.answer(self.connection, observation.request, answer)


class Loop:
    """The event loop. `worker` gives alive, ppid and notify(), as gunicorn's Worker does."""

    def __init__(self, app: EdgeApp, listeners: Sequence[socket.socket], wake_fd: int, worker: Any) -> None:
        settings = app.settings
        self.settings, self.worker, self.listeners = settings, worker, listeners
        self.selector = make_watch()
        self.link = open_link(settings, self.selector)
        self.bridge = WsgiBridge(app.wsgi, settings.wsgi_threads, settings.trusted_proxies)
        self.collector = Collector(settings, lambda: time.time_ns() // 1_000_000, lambda: str(uuid4()), self.count)
        self.quick = Quick(self.collector)
        self.observes = app.observes
        self.inlining = Inlining(app.inline, self.link.send, self.answer)
        self.heads = Heads()
        self.connections: set[Connection] = set()
        self.finished: deque[tuple[Connection, Answer]] = deque()
        self.wake_read, self.wake_write = os.pipe()
        os.set_blocking(self.wake_read, False)
        os.set_blocking(self.wake_write, False)
        for fd in (wake_fd, self.wake_read):
            self.selector.register(fd, selectors.EVENT_READ, fd)
        self.accepting = self.open = self.orphaned = False
        self.now = time.monotonic()
        self.next_sites = self.next_tick = 0.0
        self.sites: Sequence[bytes] | None = None  # as the store has them
        self.tallies: dict[str, Tally] = {}
        self.statuses: Counter[int] = Counter()

    def run(self) -> None:
        self._wait_for_sites()
        self.open = True
        self._accept_more()
        while self.worker.alive:
            self._turn()
            if self.orphaned:
                break
        self._drain()

    def _wait_for_sites(self) -> None:
        """Nobody who comes right after the start should hear that no key is known yet; while the store is down, all do.

        Not even when told to stop meanwhile: the last who stops answers those who are at the door.
        """
        until = self.now + FIRST_SITES_S
        self._tick()
        while self.collector.registry is None and self.now < until:
            self.next_tick = self.next_sites = 0.0
            self._turn()

    def _turn(self) -> None:
        ready = self.selector.ready(self.inlining.wait_s(TICK_S, self.now))
        self.now = now = time.monotonic()
        for owner, mask in ready:
            if type(owner) is Connection:
                try:
                    owner.on_event(mask, now)
                except Exception:
                    # Whatever one client brings about, the others go on.
                    self.worker.log.exception("unforeseen error in a connection")
                    owner.close()
            elif isinstance(owner, RedisLink):
                self._hear_store(owner, mask)
            elif isinstance(owner, int):
                self._wake(owner)
            else:
                self._accept(owner)
        self._hand_back()
        self.link.flush()
        self.inlining.work(self.now)
        if self.now >= self.next_tick:
            self._tick()

    def _hear_store(self, link: RedisLink, mask: int) -> None:
        try:
            link.on_event(mask, self.now)
        except Exception:
            self.worker.log.exception("unforeseen error in the connection to the live store")
            link.lose("unforeseen error", self.now)

    # --- connections ---

    def _accept_more(self) -> None:
        if self.open and not self.accepting and len(self.connections) < self.settings.max_connections:
            for listener in self.listeners:
                listener.setblocking(False)
                self.selector.register(listener, selectors.EVENT_READ, listener)
            self.accepting = True

    def _accept_no_more(self) -> None:
        if self.accepting:
            for listener in self.listeners:
                self.selector.unregister(listener)
            self.accepting = False

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(ACCEPT_AT_ONCE):
            try:
                sock, address = listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                self.worker.log.error("cannot accept connections: %s", error)
                self._accept_no_more()  # until the next tick; the loop would come back to it at once
                return
            peer = address[0] if isinstance(address, tuple) else "127.0.0.1"
            with suppress(OSError):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            timeout_s, forget = self.settings.request_timeout_s, self.connections.discard
            self.connections.add(
                Connection(
                    sock, peer, self.selector, self._handle, forget, timeout_s, self.now, self.heads, self._most_bytes
                )
            )
            if len(self.connections) >= self.settings.max_connections:
                self._accept_no_more()
                return

    def _most_bytes(self, target: bytes, headers: Mapping[str, str]) -> int:
        """How large a body may be that is larger than any batch: a server with a secret key may send a product feed."""
        kind, _, secret = headers.get("authorization", "").partition(" ")
        registry = self.collector.registry
        if target.partition(b"?")[0] != FEED_PATH or kind.lower() != "bearer" or registry is None:
            return MAX_BODY_BYTES
        return MAX_FEED_BYTES if registry.with_secret(secret.strip()) else MAX_BODY_BYTES

    def _handle(self, connection: Connection, request: Request) -> None:
        """One request. The hot path is answered from here, anything else from a thread."""
        if self.observes and request.head is not None and self._handle_quickly(connection, request):
            return
        path = request.path
        if self.observes and path in HOT_PATHS:
            Exchange(self, connection, request).go()
        elif path in self.inlining.paths:
            self.inlining.take(connection, request, self.collector.registry, self.now)
        else:
            self.bridge.submit(request, lambda answer: self._answer_from_thread(connection, answer))

    def _handle_quickly(self, connection: Connection, request: Request) -> bool:
        """False when the request needs more."""
        try:
            observation = self.quick.observation(request)
        except BalizaError as error:
            self.answer(connection, request, self.collector.refused(request, error))
            return True
        except Exception:
            self.worker.log.exception("unforeseen error at %s", request.path)
            self.answer(connection, request, Answer(500))
            return True
        if observation is None:
            return False
        self.link.observe(observation.command, Hit(self, connection, observation).done, self.now)
        return True

    def answer(self, connection: Connection, request: Request, answer: Answer) -> None:
        self.statuses[answer.status] += 1
        connection.answer(answer, self.now, head_only=request.method == "HEAD")

    def _answer_from_thread(self, connection: Connection, answer: Answer) -> None:
        self.finished.append((connection, answer))
        with suppress(BlockingIOError):
            os.write(self.wake_write, b"w")

    def _hand_back(self) -> None:
        while self.finished:
            connection, answer = self.finished.popleft()
            connection.answer(answer, self.now)

    def _wake(self, fd: int) -> None:
        with suppress(BlockingIOError):
            os.read(fd, 4096)

    # --- now and then ---

    def _tick(self) -> None:
        self.next_tick = self.now + TICK_S
        self.orphaned = self.worker.ppid != os.getppid()
        self.worker.notify()
        self.link.tick(self.now)
        if self.now >= self.next_sites:
            self.next_sites = self.now + (SITES_EVERY_S if self.collector.registry else TICK_S)
            self.link.send([("HVALS", keys.SITES)], self._learn_sites, self.now)
            self.link.flush()
        for connection in [one for one in self.connections if self.now > one.deadline and not one.busy]:
            connection.expire()
        if len(self.connections) >= self.settings.max_connections:
            self._make_room()
        self._accept_more()
        self._publish()

    def _make_room(self) -> None:
        """Close a tenth of the connections: others wait at the door. First those that have been silent longest, then those
        that have been at one request longest.
        """
        silent = [one for one in self.connections if one.idle and self.now - one.heard_at > SILENT_S]
        silent.sort(key=lambda one: one.heard_at)
        begun_before = self.now - SILENT_S + self.settings.request_timeout_s
        slow = [one for one in self.connections if one.receiving and one.deadline < begun_before]
        slow.sort(key=lambda one: one.deadline)
        for connection in [*silent, *slow][: self.settings.max_connections // 10]:
            connection.expire()

    def _learn_sites(self, replies: Sequence[Any] | StoreDown) -> None:
        if isinstance(replies, StoreDown):
            return
        if replies[0] == self.sites:
            return
        try:
            self.collector.registry = decode_sites(replies[0])
            self.sites = replies[0]
        except msgspec.MsgspecError as error:
            self.worker.log.error("cannot read the sites, going on with those known: %s", error)

    def count(self, site: str, tally: Tally) -> None:
        """Add to what the metrics will be told."""
        self.tallies.setdefault(site, Tally()).add(tally)

    def count_taken(self, site: str, events: int) -> None:
        """The same for a request whose events were all taken, and its answer."""
        self.statuses[202] += 1
        tally = self.tallies.get(site)
        if tally is None:
            tally = self.tallies[site] = Tally()
        tally.received += events
        tally.taken += events

    def _publish(self) -> None:
        """Add what was counted since the last time to the metrics; per request that would cost more than the request."""
        for site, tally in self.tallies.items():
            metrics.RECEIVED.labels(site).inc(tally.received)
            metrics.TAKEN.labels(site).inc(tally.taken)
            metrics.REJECTED.labels(site).inc(tally.rejected)
            for reason, count in tally.reasons().items():
                metrics.DROPPED.labels(site, reason).inc(count)
        for status, count in self.statuses.items():
            metrics.ANSWERS.labels(str(status)).inc(count)
        self.tallies.clear()
        self.statuses.clear()

    def _drain(self) -> None:
        """Take in who is at the door, answer what was asked, say goodbye with the answers, and go."""
        self._take_in_the_last()
        self.now = time.monotonic()
        silent_until, until = self.now + LAST_WORDS_S, self.now + self.worker.cfg.graceful_timeout
        while self.now < until and (self.connections or not self.link.idle):
            for connection in list(self.connections):
                connection.leaving = True
                if connection.idle and self.now >= silent_until:
                    connection.close()
            self._turn()
        self._publish()
        self.link.close()
        self.bridge.close()

    def _take_in_the_last(self) -> None:
        """Whoever is connected but not accepted would be reset when the process ends."""
        self.open = False
        self._accept_no_more()
        for listener in self.listeners:
            for _ in range(self.settings.max_connections // ACCEPT_AT_ONCE):
                self._accept(listener)
            listener.close()
