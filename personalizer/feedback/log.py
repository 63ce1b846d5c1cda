"""The log of decisions, as serving writes it: into memory at once, from there to the live store a moment later.

A request pays for an append to a list. A thread writes what has gathered in one pipeline; what a process has not yet written
when it is killed is lost: at most FLUSH_EVERY_S of decisions, or what waits for a live store that is away.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from baliza.errors import StoreDown
from baliza.metrics import DECISIONS_DROPPED, DECISIONS_LOGGED
from baliza.stores import RedisClient, call
from personalizer.feedback.record import DecisionRecord, encode
from schema import keys

__all__ = ["FIELD", "FLUSH_EVERY_S", "MOST_IN_MEMORY", "DecisionLog"]

log = logging.getLogger("baliza.decisions")

FIELD: Final = b"d"  # of a stream entry: one record
FLUSH_EVERY_S: Final = 0.05
MOST_IN_MEMORY: Final = 5_000
AT_ONCE: Final = 1_000
MEASURE_EVERY_S: Final = 1.0
# Five tries: together about as long as a Valkey takes to be started again.
WAITS_S: Final = (0.1, 0.3, 0.9, 2.7)
CLOSE_WITHIN_S: Final = 5.0

Waiting = tuple[int, bytes]  # partition, record


class DecisionLog:
    """Takes decisions of all threads of a process. Make it after a fork: it has a thread, which begins with the first write.

    most_waiting: decisions in the live store that the history does not have yet; above it none is added (about: other
    processes add as well). monotonic: seconds.
    """

    def __init__(
        self,
        redis: RedisClient,
        partitions: int,
        most_waiting: int,
        monotonic: Callable[[], float] = time.monotonic,
        waits_s: Sequence[float] = WAITS_S,
    ) -> None:
        self._redis, self._partitions, self._monotonic, self._waits_s = redis, partitions, monotonic, waits_s
        self._most_each = max(1, most_waiting // partitions)
        self._queue: deque[DecisionRecord] = deque()
        self._lengths: dict[int, tuple[float, int]] = {}  # partition → when asked, entries then
        self._wake, self._closed, self._starting = threading.Event(), threading.Event(), threading.Lock()
        self._thread: threading.Thread | None = None
        self._complained = False

    def write(self, record: DecisionRecord) -> None:
        """Log a decision of somebody who may be remembered, at some time soon. Never blocks, never raises.

        Without a visitor or without offers there is nothing to log. What there is no room for is dropped and counted.
        """
        if not record.visitor_id or not record.offers:
            return
        if len(self._queue) >= MOST_IN_MEMORY or self._closed.is_set():
            DECISIONS_DROPPED.labels("memory_full").inc()
            return
        self._queue.append(record)
        # Setting takes a lock; mostly it is set.
        if not self._wake.is_set():
            self._wake.set()
            if self._thread is None:
                self._start()

    def close(self) -> None:
        """Write what is left, in a few seconds at most, and take no more."""
        self._closed.set()
        self._wake.set()
        if self._thread:
            self._thread.join(CLOSE_WITHIN_S)

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="decision-log", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while not self._closed.is_set() or self._queue:
            self._wake.wait()
            self._closed.wait(FLUSH_EVERY_S)  # what comes together is written together
            # Before the queue is looked at: what is appended from here on sets it again.
            self._wake.clear()
            while self._queue:
                batch = [self._queue.popleft() for _ in range(min(AT_ONCE, len(self._queue)))]
                self._flush(batch)

    def _flush(self, batch: Sequence[DecisionRecord]) -> None:
        try:
            places = [(keys.partition_of(record.visitor_id, self._partitions), record) for record in batch]
            due = {partition for partition, _ in places if self._to_measure(partition)}
            waiting = [(partition, encode(record)) for partition, record in places if self._has_room(partition)]
            DECISIONS_DROPPED.labels("backlog").inc(len(batch) - len(waiting))
            self._send(waiting, sorted(due))
        except StoreDown as error:
            DECISIONS_DROPPED.labels("store_down").inc(len(waiting))
            if not self._complained:
                log.warning("%d decisions are not logged, and more until it is back: %s", len(waiting), error)
            self._complained = True
        except Exception:
            DECISIONS_DROPPED.labels("failed").inc(len(batch))
            log.exception("%d decisions could not be logged", len(batch))
        else:
            self._complained = False

    def _send(self, waiting: Sequence[Waiting], due: Sequence[int]) -> None:
        """Try several times: a store that is started again has its place. A record may come to be there twice."""
        for wait_s in self._waits_s:
            try:
                self._write_all(waiting, due)
            except StoreDown:
                # At the end of a process one more try has to do.
                if self._closed.wait(wait_s):
                    break
            else:
                return
        self._write_all(waiting, due)

    def _write_all(self, waiting: Sequence[Waiting], due: Sequence[int]) -> None:
        """One round trip: the records, and how long the streams of `due` are now."""
        pipe = self._redis.pipeline(transaction=False)
        for partition, packed in waiting:
            pipe.execute_command("XADD", keys.decisions(partition), "*", FIELD, packed)
        for partition in due:
            pipe.xlen(keys.decisions(partition))
        answers = call(pipe.execute)
        now = self._monotonic()
        self._lengths |= {partition: (now, n) for partition, n in zip(due, answers[len(waiting) :], strict=True)}
        DECISIONS_LOGGED.inc(len(waiting))

    def _has_room(self, partition: int) -> bool:
        return self._lengths.get(partition, (0.0, 0))[1] < self._most_each

    def _to_measure(self, partition: int) -> bool:
        asked = self._lengths.get(partition)
        return asked is None or self._monotonic() - asked[0] >= MEASURE_EVERY_S
