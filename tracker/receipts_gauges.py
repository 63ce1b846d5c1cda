"""The receipts as gauges for /metrics: read when somebody asks, and for some seconds not again."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from clickhouse_driver.errors import Error as ClickHouseError

from baliza import metrics
from baliza.errors import BalizaError
from baliza.metrics import Reading
from baliza.settings import Settings
from baliza.stores import History, RedisClient
from tracker.ingest import oldest_waiting_s
from tracker.quarantine import tallied
from tracker.receipts import Line, read_receipts

__all__ = ["FRESH_S", "MOST_ENTRIES", "ReceiptGauges"]

log = logging.getLogger("baliza.receipts")

FRESH_S: Final = 10.0
CHECKED_HOURS: Final = 48
# Counting these takes half a second. With more, `waiting` says how many of the oldest there are: at least so many.
MOST_ENTRIES: Final = 50_000
TRIES: Final = 3
FATES: Final = ("received", "stored", "bot", "duplicate", "consent", "rejected", "waiting")


class ReceiptGauges:
    """A reader for baliza.metrics.read_with. `history` is used by one thread at a time. monotonic: seconds."""

    def __init__(
        self,
        redis: RedisClient,
        history: History,
        settings: Settings,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._redis, self._history, self._settings = redis, history, settings
        self._now, self._monotonic = now, monotonic
        self._lock = threading.Lock()
        self._read_at = float("-inf")
        self._readings: Sequence[Reading] = (Reading(metrics.RECEIPTS_READABLE, 0),)

    def __call__(self) -> Sequence[Reading]:
        """The latest readings. Who comes while another one reads gets those of before; never raises."""
        if self._monotonic() - self._read_at >= FRESH_S and self._lock.acquire(blocking=False):
            try:
                self._readings = tuple(self._ask())
                self._read_at = self._monotonic()
            finally:
                self._lock.release()
        return self._readings

    def _ask(self) -> Iterator[Reading]:
        try:
            yield from self._live()
            yield from self._receipts()
        except (BalizaError, ClickHouseError, OSError) as error:
            log.info("the receipts cannot be read: %s", error)
            yield Reading(metrics.RECEIPTS_READABLE, 0)
        else:
            yield Reading(metrics.RECEIPTS_READABLE, 1)

    def _live(self) -> Iterator[Reading]:
        partitions = self._settings.partitions
        now_ms = round(self._now().timestamp() * 1000)
        yield Reading(metrics.OLDEST_WAITING, oldest_waiting_s(self._redis, partitions, now_ms))
        tally = tallied(self._redis, partitions)
        for state, count in (("kept", tally.refused), ("thrown", tally.thrown), ("aged", tally.aged)):
            yield Reading(metrics.QUARANTINE, count, (state,))

    def _receipts(self) -> Iterator[Reading]:
        now = self._now()
        begin = now - timedelta(hours=CHECKED_HOURS - 1)
        found = read_receipts(self._redis, self._history, self._settings, begin, now, most_entries=MOST_ENTRIES, tries=TRIES)
        yield Reading(metrics.WAITING_ENTRIES, found.entries)
        yield Reading(metrics.UNSTORED_ENTRIES, found.set_aside)
        this_hour = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        named = {this_hour: "current", this_hour - timedelta(hours=1): "last"}
        for line in found.lines:
            if line.hour in named:
                yield from _fates(line, named[line.hour])
        for site in sorted({line.site for line in found.lines}):
            differences = [line.difference for line in found.lines if line.site == site]
            lost = sum(each for each in differences if each > 0)
            yield Reading(metrics.RECEIPTS_DIFFERENCE, lost or sum(differences), (site,))


def _fates(line: Line, hour: str) -> Iterator[Reading]:
    for fate in FATES:
        yield Reading(metrics.RECEIPTS, getattr(line, fate), (line.site, hour, fate))
