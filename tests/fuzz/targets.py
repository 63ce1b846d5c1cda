"""What a fuzzer calls with bytes, and what must hold for any. AssertionError, or anything that escapes, is a finding."""

import random
from collections.abc import Callable, Mapping
from datetime import UTC
from io import BytesIO
from typing import Final
from zlib import crc32

import msgspec

from baliza.errors import BadRequest
from personalizer.catalogue.feeds import FORMATS, opened, rows_of, sniffed
from personalizer.catalogue.item import decode_item, encode_item, merged_item
from personalizer.catalogue.rows import BadRow, checked_row
from schema.events import MAX_EVENTS_PER_BATCH
from tests.support.reference import read_by_h11, read_by_us
from tests.tracker.test_connection_and_h11 import compare
from tracker.beacon import decode
from tracker.checks import TimeWindow
from tracker.connection import MAX_PIPELINED
from tracker.rows import StoredBatch

__all__ = ["TARGETS", "connection_target", "decode_target", "feed_target"]

MOST_FEED_BYTES: Final = 1_000_000
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


def feed_target(data: bytes) -> None:
    """Any file is rows or a refusal in words, in every format; any row is an item or a reason."""
    for kind in (None, *FORMATS):
        told = ""
        stream = opened(BytesIO(data), MOST_FEED_BYTES)
        try:
            rows = list(rows_of(stream, kind or sniffed(stream)))  # type: ignore[arg-type]
        except BadRequest as error:
            rows, told = [], str(error)
        assert len(told) < 1000
        for row in rows:
            _judge(row.values)


def _judge(values: Mapping[str, object]) -> None:
    told = ""
    try:
        found = checked_row(values, UTC)
    except BadRow as error:
        told = str(error)
    else:
        assert decode_item(encode_item(merged_item(None, found.said)))
    assert len(told) < 1000


TARGETS: Final[Mapping[str, Callable[[bytes], None]]] = {
    "decode": decode_target, "connection": connection_target, "feed": feed_target,
}  # fmt: skip
