"""Requests that the loop answers itself, though each takes a millisecond: a few at a time, so that events never wait long.

Each waits for one value of the live store first, for as long as its path says and no longer.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from baliza.errors import StoreDown
from baliza.inline import Inline, Reply, Unanswered
from baliza.sites import SiteRegistry
from tracker.connection import Connection
from tracker.request import Answer, Request

__all__ = ["SLICE_S", "Inlining"]

# After so long of answering the loop looks at its sockets again.
SLICE_S: Final = 0.004

log = logging.getLogger("baliza.edge")

Send = Callable[[Sequence[tuple[Any, ...]], Callable[[Sequence[Any] | StoreDown], None], float], None]
Done = Callable[[Connection, Request, Answer], None]


class _Asked:
    """One request, from being understood to being answered. stored: what its key holds, as far as it was heard."""

    __slots__ = ("connection", "request", "ripe", "stored", "unanswered", "until")

    def __init__(self, connection: Connection, request: Request, unanswered: Unanswered, until: float) -> None:
        self.connection, self.request, self.unanswered, self.until = connection, request, unanswered, until
        self.stored: bytes | StoreDown | None = None
        self.ripe = False


class Inlining:
    """The requests of some paths. send: to the live store; done: hears each answer; both are the loop's. clock: seconds."""

    def __init__(
        self, paths: Mapping[str, Inline], send: Send, done: Done, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.paths, self._send, self._done, self._clock = paths, send, done, clock
        self._ripe: deque[_Asked] = deque()
        # Each path waits equally long, so they stand in the order in which they stop waiting.
        self._waiting: dict[str, deque[_Asked]] = {path: deque() for path in paths}

    def take(self, connection: Connection, request: Request, registry: SiteRegistry | None, now: float) -> None:
        """Begin with a request of one of the paths. What is refused is answered at once."""
        path, _, query = request.target.partition("?")
        inline = self.paths[path]
        try:
            found = inline.ask(request.method, query, request.headers, registry)
        except Exception:
            log.exception("unforeseen error at %s", path)
            found = Reply(500, [], b"")
        if isinstance(found, Reply):
            self._done(connection, request, Answer(*found))
            return
        asked = _Asked(connection, request, found, now + inline.wait_s)
        if found.key is None:
            self._ripen(asked, None)
            return
        self._waiting[path].append(asked)
        self._send([("GET", found.key)], lambda replies: self._heard(asked, replies), now)

    def wait_s(self, most_s: float, now: float) -> float:
        """For how long the loop may wait for its sockets, at most most_s: nobody's time is up before."""
        if self._ripe:
            return 0.0
        for waiting in self._waiting.values():
            if waiting:
                most_s = min(most_s, max(0.0, waiting[0].until - now))
        return most_s

    def work(self, now: float) -> None:
        """Answer what can be answered, for SLICE_S at most or one request."""
        for waiting in self._waiting.values():
            while waiting and (waiting[0].ripe or waiting[0].until <= now):
                asked = waiting.popleft()
                if not asked.ripe:
                    self._ripen(asked, StoreDown("the live store did not answer in time"))
        until = now + SLICE_S
        while self._ripe:
            self._answer(self._ripe.popleft())
            if self._clock() >= until:
                return

    def _heard(self, asked: _Asked, replies: Sequence[Any] | StoreDown) -> None:
        if not asked.ripe:
            self._ripen(asked, replies if isinstance(replies, StoreDown) else replies[0])

    def _ripen(self, asked: _Asked, stored: bytes | StoreDown | None) -> None:
        asked.stored, asked.ripe = stored, True
        self._ripe.append(asked)

    def _answer(self, asked: _Asked) -> None:
        if asked.connection.closed:
            return  # nobody listens any more
        try:
            answer = Answer(*asked.unanswered.answer(asked.stored))
        except Exception:
            log.exception("unforeseen error at %s", asked.request.path)
            answer = Answer(500)
        self._done(asked.connection, asked.request, answer)
