"""What a fuzzer calls with bytes, and what must hold for any. AssertionError, or anything that escapes, is a finding."""

import random
from collections.abc import Callable, Mapping
from typing import Final
from zlib import crc32

import msgspec

from baliza.errors import BadRequest
from schema.events import MAX_EVENTS_PER_BATCH
from tests.support.reference import read_by_h11, read_by_us
from tests.tracker.test_connection_and_h11 import compare
from tracker.beacon import decode
from tracker.checks import TimeWindow
from tracker.connection import MAX_PIPELINED
from tracker.rows import StoredBatch

__all__ = ["TARGETS", "connection_target", "decode_target"]

NOW_MS: Final = 1_795_255_260_000  # 2026-11-21T10:01:00Z, the time of the seeds
BROWSER, SERVER = TimeWindow(NOW_MS, 72 * 3_600_000, 300_000), TimeWindow(NOW_MS, None, 300_000)
_stored = msgspec.json.Decoder(StoredBatch)


def decode_target(data: bytes) -> None:
    """Any body is decoded or explained; what was decoded is in its body again, for ingest, and dated so that it can be."""
    for window in (BROWSER, SERVER):
        try:
            found = decode(data, window)
        except BadRequest as error:
            sentence = str(error)
            assert sentence.startswith("expected "), sentence
            assert len(sentence) < 1000
            continue
        assert 1 <= len(found.events) + len(found.rejected) <= MAX_EVENTS_PER_BATCH
        assert len(found.events) == len(found.times_ms)
        assert all(bad.error.startswith("expected ") and len(bad.error) < 1000 for bad in found.rejected)
        assert all(at <= window.received_ms + window.future_ms for at in found.times_ms)
        assert not found.events or _stored.decode(found.body).events == found.events


def connection_target(data: bytes) -> None:
    """Any bytes in any pieces: nothing escapes, the same requests as in one piece, and those that another reader finds."""
    dice = random.Random(crc32(data))
    cuts = sorted(dice.randint(0, len(data)) for _ in range(dice.choice((1, 2, 8))))
    whole, pieces = read_by_us(data, []), read_by_us(data, cuts)
    theirs = read_by_h11(data)
    if len(theirs.requests) < MAX_PIPELINED:
        assert pieces.requests == whole.requests
        compare(pieces, theirs)


TARGETS: Final[Mapping[str, Callable[[bytes], None]]] = {"decode": decode_target, "connection": connection_target}
