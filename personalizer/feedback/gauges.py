"""How many decisions wait for the history, and for how long: for /metrics, read when somebody asks."""

import logging
from collections.abc import Callable, Sequence

from redis.exceptions import RedisError

from baliza.errors import BalizaError
from baliza.metrics import DECISIONS_WAITING, OLDEST_DECISION, Reading
from baliza.stores import RedisClient, call
from schema import keys

__all__ = ["DecisionGauges"]

log = logging.getLogger("baliza.decisions")


class DecisionGauges:
    """A reader for baliza.metrics.read_with. now_ms: the wall clock."""

    def __init__(self, redis: RedisClient, partitions: int, now_ms: Callable[[], int]) -> None:
        self._redis, self._partitions, self._now_ms = redis, partitions, now_ms

    def __call__(self) -> Sequence[Reading]:
        """The readings of now; none while the live store is away. One round trip, never raises."""
        pipe = self._redis.pipeline(transaction=False)
        for partition in range(self._partitions):
            pipe.xlen(keys.decisions(partition))
            pipe.xrange(keys.decisions(partition), count=1)
        try:
            answers = call(pipe.execute)
        except (BalizaError, RedisError) as error:
            log.info("how many decisions wait cannot be read: %s", error)
            return ()
        firsts = [int(entries[0][0].partition(b"-")[0]) for entries in answers[1::2] if entries]
        oldest_s = max(0.0, (self._now_ms() - min(firsts)) / 1000) if firsts else 0.0
        return Reading(DECISIONS_WAITING, sum(answers[::2])), Reading(OLDEST_DECISION, oldest_s)
