"""Carries logged decisions from the live store into the history, at least once; equal rows are one row there.

Read the oldest entries of each partition, insert them in one statement, trim the streams. Killed anywhere, the next one
reads the same entries and inserts the same rows; docs/decisions/0021 says why that is enough here and not for events.
"""

import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from clickhouse_driver.errors import Error as ClickHouseError

from baliza import stores
from baliza.errors import BalizaError
from baliza.lease import Lease
from baliza.metrics import DECISIONS_CARRIED, DECISIONS_DROPPED
from baliza.settings import Settings
from baliza.stores import History, RedisClient, call, first_line
from personalizer.feedback.log import FIELD
from personalizer.feedback.record import BadRecord, DecisionRecord, decode
from schema import keys

__all__ = ["ROLE", "Carried", "Carrier", "rows", "serve_carrier"]

ROLE: Final = "decisions"
AT_ONCE: Final = 5_000  # decisions in one insert, about
AT_LEAST: Final = 50  # of one partition
CARRY_EVERY_S: Final = 1.0
BACKOFF_MOST_S: Final = 30.0
SAY_AGAIN_S: Final = 300.0
INSERT_TIMEOUT_S: Final = 60.0  # of silence; the rows are inserted again then
COLUMNS: Final = (
    "site", "decided_at", "decision_id", "rank", "visitor_id", "session_id", "placement", "model", "fallback", "explored",
    "item_id", "source", "reason", "response_code", "score", "p_next", "p_response", "value", "propensity",
)  # fmt: skip
INSERT: Final = f"INSERT INTO decisions ({', '.join(COLUMNS)}) VALUES"
OPTIONS: Final[dict[str, Any]] = {"async_insert": 0, "max_partitions_per_insert_block": 0}

Row = tuple[Any, ...]
Entry = tuple[bytes, Mapping[bytes, bytes]]

log = logging.getLogger("baliza.decisions")


def rows(record: DecisionRecord) -> Iterator[Row]:
    """The rows of a decision, one an offer, in the order of COLUMNS. Always the same of the same record. Pure."""
    decided_at = datetime.fromtimestamp(record.decided_at_ms / 1000, UTC)
    for offer in record.offers:
        yield (
            record.site, decided_at, record.decision_id, offer.rank, record.visitor_id, record.session_id,
            record.placement, record.model, record.fallback, int(record.explored), offer.item_id, offer.source,
            offer.reason, offer.response_code, offer.score, offer.p_next, offer.p_response, offer.value, offer.propensity,
        )  # fmt: skip


class Carried(NamedTuple):
    """What one step did. more: there was more than it read."""

    decisions: int
    more: bool


class Carrier:
    """Moves decisions; of several processes one at a time needs to, and two do no harm."""

    def __init__(self, redis: RedisClient, history: History, partitions: int) -> None:
        self._redis, self._history, self._partitions = redis, history, partitions

    def step(self) -> Carried:
        """Carry what waits, about AT_ONCE decisions at most. Blocks for a few round trips.

        Raises StoreDown and ClickHouseError; then nothing was trimmed.
        """
        found, more = self._read()
        records = [record for entries in found.values() for record in _readable(entries)]
        if records:
            table = [row for record in records for row in rows(record)]
            columns = [list(column) for column in zip(*table, strict=True)]
            call(lambda: self._history.client().execute(INSERT, columns, columnar=True, settings=OPTIONS))
        self._trim(found)
        DECISIONS_CARRIED.inc(len(records))
        return Carried(len(records), more)

    def _read(self) -> tuple[dict[int, Sequence[Entry]], bool]:
        pipe = self._redis.pipeline(transaction=False)
        for partition in range(self._partitions):
            pipe.xlen(keys.decisions(partition))
        waiting = {partition: length for partition, length in enumerate(call(pipe.execute)) if length}
        each = max(AT_LEAST, AT_ONCE // max(1, len(waiting)))
        pipe = self._redis.pipeline(transaction=False)
        for partition in waiting:
            pipe.xrange(keys.decisions(partition), count=each)
        found = zip(waiting, call(pipe.execute) if waiting else [], strict=True)
        return {partition: entries for partition, entries in found if entries}, max(waiting.values(), default=0) > each

    def _trim(self, found: Mapping[int, Sequence[Entry]]) -> None:
        if not found:
            return
        pipe = self._redis.pipeline(transaction=False)
        for partition, entries in found.items():
            milliseconds, _, number = entries[-1][0].decode().partition("-")
            pipe.xtrim(keys.decisions(partition), minid=f"{milliseconds}-{int(number) + 1}", approximate=False)
        call(pipe.execute)


def _readable(entries: Sequence[Entry]) -> Iterator[DecisionRecord]:
    """Without those that cannot be read, which nobody will ever read: they are counted, told and left out."""
    for stream_id, fields in entries:
        try:
            yield decode(fields.get(FIELD, b""))
        except BadRecord as error:
            DECISIONS_DROPPED.labels("unreadable").inc()
            log.error("entry %s is left out: %s", stream_id.decode(), error)


def serve_carrier(settings: Settings, stop: threading.Event) -> None:
    """Carry decisions until `stop` is set; of several processes one does it. Blocks.

    A store that is away is said once and every five minutes, and asked again after 1, 2, 4, … at most 30 s.
    """
    redis = stores.redis(settings)
    history = History(lambda: stores.clickhouse(settings, INSERT_TIMEOUT_S))
    lease = Lease(redis, ROLE, f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}", time.monotonic)
    carrier = Carrier(redis, history, settings.partitions)
    wait_s, failing_s, said_at = 0.0, 0.0, float("-inf")
    while not stop.wait(wait_s):
        try:
            more = lease.hold() and carrier.step().more
            wait_s, failing_s = (0.0 if more else CARRY_EVERY_S), 0.0
        except (BalizaError, ClickHouseError) as error:
            wait_s = failing_s = min(BACKOFF_MOST_S, max(1.0, failing_s * 2))
            if time.monotonic() - said_at >= SAY_AGAIN_S:
                said_at = time.monotonic()
                log.warning("decisions wait in the live store: %s", first_line(error))
        except Exception:
            log.exception("carrying decisions failed; it is tried again")
            wait_s = BACKOFF_MOST_S
    _give_back(lease)
    redis.close()


def _give_back(lease: Lease) -> None:
    try:
        lease.release()
    except BalizaError as error:
        log.info("the lease runs out by itself: %s", error)
