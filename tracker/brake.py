"""Keeps ingest from doing harm when the code or the history's tables are wrong, and its log from filling up meanwhile."""

import logging
from collections.abc import Callable, Mapping
from typing import Final

from baliza import metrics
from baliza.errors import BalizaError, StoreDown
from baliza.stores import RedisClient, call
from schema import keys

__all__ = ["Brake", "Braked", "Complaints", "Tally", "braked"]

log = logging.getLogger("baliza.ingest")

RECENT: Final = 1_000
SAY_AGAIN_S: Final = 300.0


class Braked(BalizaError):
    """Nearly nothing can be stored: the code or the history's tables are wrong, not the events. They have to wait."""


class Tally:
    """How many of the latest entries could be stored; old ones fade."""

    def __init__(self, most_bad: int) -> None:
        self._most_bad, self._bad, self._good = most_bad, 0, 0

    def count(self, bad: int, good: int) -> None:
        """Add the entries of one batch."""
        self._bad, self._good = self._bad + bad, self._good + good
        while self._bad + self._good > RECENT:
            self._bad, self._good = self._bad // 2, self._good // 2

    def too_bad(self, bad: int, good: int) -> bool:
        """Whether with these in addition most are bad, and more than could be an accident."""
        bad, good = self._bad + bad, self._good + good
        return bad > self._most_bad and bad > good


class Brake:
    """Tells everybody that one ingest worker carries nothing, until it does again: metric, /ready of all processes, log."""

    def __init__(self, redis: RedisClient, worker: int) -> None:
        self._redis, self._key = redis, keys.braked(worker)
        self._pulled = False
        # A worker that was killed may have left its word.
        self._said = True

    def pull(self, why: Braked) -> None:
        """Say that nothing is carried and why. Again at each try: after BRAKED_MS the word is forgotten."""
        self._pulled = self._said = True
        metrics.INGEST_BRAKED.set(1)
        try:
            call(lambda: self._redis.set(self._key, str(why)[:1_000], px=keys.BRAKED_MS))
        except StoreDown as error:
            log.info("that ingest is braked cannot be told: %s", error)

    def release(self) -> None:
        """Say that it works. Raises StoreDown."""
        metrics.INGEST_BRAKED.set(0)
        if self._said:
            call(lambda: self._redis.delete(self._key))
            self._said = False
        if self._pulled:
            log.warning("the brake is released: events are carried again")
            self._pulled = False


def braked(redis: RedisClient, workers: int) -> Mapping[int, str]:
    """Ingest worker → why it carries nothing, of those that say so. One round trip. Raises StoreDown."""
    pipe = redis.pipeline(transaction=False)
    for worker in range(workers):
        pipe.get(keys.braked(worker))
    return {worker: why.decode(errors="replace") for worker, why in enumerate(call(pipe.execute)) if why}


class Complaints:
    """Says a trouble when it is new and every five minutes, however often it is met; and once when it is over.

    monotonic: seconds, a clock that never goes back.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._since, self._said_at, self._what, self._times = 0.0, 0.0, "", 0

    def say(self, level: int, text: str, error: BalizaError | Exception, wait_s: float) -> None:
        """One more failure, after which it is tried again in `wait_s`."""
        now = self._monotonic()
        if not self._times:
            self._since = now
        self._times += 1
        if text != self._what or now - self._said_at >= SAY_AGAIN_S:
            log.log(level, "%s (try %d, the next in %.0f s): %s", text, self._times, wait_s, error)
            self._what, self._said_at = text, now

    def over(self) -> None:
        """It works."""
        if self._times:
            log.warning("events are carried again after %.0f s and %d tries", self._monotonic() - self._since, self._times)
        self._times, self._what = 0, ""
