"""A thousand generated batches through the collector's own steps: nothing breaks, nothing is lost, nothing is twice."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from baliza.lease import Lease
from baliza.settings import Settings
from baliza.sites import Site
from baliza.stores import History, RedisClient
from schema import keys
from tests.support.collecting import Shop
from tests.support.generated import SENDINGS, Sending
from tests.support.plain_rows import COLUMNS, plain_rows
from tracker.collect import Tally
from tracker.ingest import Ingest
from tracker.request import Answer
from tracker.rows import arrival_of

pytestmark = [pytest.mark.redis, pytest.mark.clickhouse]

EXAMPLES, TOGETHER = 260, 4
WITH_EVENTS = {202, 200}
STATUSES = {202, 200, 400, 401, 403, 413}
EVENT_ID, VISITOR = COLUMNS.index("event_id"), COLUMNS.index("visitor_id")


@dataclass
class Stream:
    """What lies in the live store's streams, read on from where it was read to. Rows by ingest's own code."""

    redis: RedisClient
    partitions: int
    last: dict[int, str] = field(default_factory=dict)
    rows: Counter[tuple[str, str]] = field(default_factory=Counter)

    def new(self) -> list[tuple[str, str]]:
        """(visitor, event_id) of the rows that came since the last time."""
        found = []
        pipe = self.redis.pipeline(transaction=False)
        for partition in range(self.partitions):
            pipe.xrange(keys.events(partition), f"({self.last.get(partition, '0')}")
        for partition, entries in enumerate(pipe.execute()):
            for stream_id, entry in entries:
                self.last[partition] = stream_id.decode()
                arrival_of(entry)
                for row in plain_rows(entry):
                    assert not any(isinstance(cell, str) and "\0" in cell for cell in row), (
                        "text that databases and people cut short"
                    )
                    found.append((row[VISITOR], row[EVENT_ID]))
        self.rows.update(found)
        return found


class Sender:
    """Sends and settles accounts."""

    def __init__(self, shop: Shop, stream: Stream, counts: Counter[str]) -> None:
        self.shop, self.stream, self.counts = shop, stream, counts
        self.number = 0

    def send(self, sending: Sending, cookie: str = "") -> tuple[Answer, Tally, list[tuple[str, str]]]:
        before = len(self.shop.tallies)
        headers = sending.headers(self.number) | ({"cookie": cookie} if cookie else {})
        target = sending.target.replace("{number}", str(self.number))
        answer = self.shop.post(sending.bytes(self.number), headers, target, "GET" if sending.is_pixel else "POST")
        tallies = self.shop.tallies[before:]
        return answer, tallies[0] if tallies else Tally(), self.stream.new()

    def send_and_settle(self, sending: Sending) -> None:
        self.counts["batches"] += 1
        answer, tally, rows = self.send(sending)
        self.counts[str(answer.status)] += 1
        check_answer(answer, tally, sending)
        assert tally.received == tally.taken + tally.rejected + sum(tally.reasons().values())
        assert len(rows) == tally.taken, "what was accepted is in the stream, and nothing else is"
        self.counts["taken"] += len(rows)
        if not sending.is_pixel or "event_id" in sending.target:
            self.repeat(sending, answer, tally)

    def repeat(self, sending: Sending, first: Answer, tally: Tally) -> None:
        """A beacon that heard nothing sends again: it gets the same answer, and nothing changes."""
        cookie = dict(first.headers).get("Set-Cookie", "").partition(";")[0]
        held = self.held()
        answer, again, rows = self.send(sending, cookie)
        # Of a bad batch some were taken before.
        assert (answer.status, rows, again.taken) == (first.status, [], 0)
        assert again.rejected == tally.rejected
        assert again.consent == tally.consent
        assert again.duplicate == tally.duplicate + tally.taken
        assert self.held() == held

    def held(self) -> dict[bytes, bytes]:
        """The profiles of all who may have sent."""
        found = {}
        for visitor in (f"v-{self.number}", f"cookie-{self.number}"):
            key = keys.visitor(keys.partition_of(visitor, self.stream.partitions), "demo", visitor)
            found[key] = self.shop.redis.get(key)
        return found


def check_answer(answer: Answer, tally: Tally, sending: Sending) -> None:
    headers = dict(answer.headers)
    assert answer.status in STATUSES, answer
    if sending.sound:
        assert answer.status == 202, (answer.body, sending)
    if sending.is_pixel:
        assert (headers["Content-Type"], len(answer.body)) == ("image/gif", 43)
    elif answer.status == 202:
        assert answer.body == b""
    elif answer.status == 200:
        said = msgspec.json.decode(answer.body)
        assert said["accepted"] == tally.taken
        assert len(said["rejected"]) == tally.rejected > 0
        assert all(bad["error"].startswith("expected ") and len(bad["error"]) < 800 for bad in said["rejected"])
    else:
        said = msgspec.json.decode(answer.body)
        assert headers["Content-Type"] == "application/problem+json"
        assert (said["status"], len(said["detail"]) < 900) == (answer.status, True)
    assert (answer.status in WITH_EVENTS) >= (tally.taken > 0)


def test_a_thousand_batches_add_up(shop: Shop, settings_of_ingest: tuple[Ingest, History]) -> None:
    counts: Counter[str] = Counter()
    stream = Stream(shop.redis, 8)
    sender = Sender(shop, stream, counts)

    # Not shrunk: with real stores that takes longer than to read four batches.
    once = {"derandomize": True, "database": None, "phases": [Phase.generate], "suppress_health_check": list(HealthCheck)}

    @settings(max_examples=EXAMPLES, deadline=None, **once)
    @given(st.lists(SENDINGS, min_size=TOGETHER, max_size=TOGETHER))
    def send_some(sendings: Sequence[Sending]) -> None:
        sender.number += 1
        for sending in sendings:
            sender.send_and_settle(sending)

    send_some()
    assert counts["batches"] >= 1000, counts
    assert counts["taken"] >= 300, counts
    assert all(counts[str(status)] >= 3 for status in STATUSES), counts
    assert set(stream.rows.values()) == {1}
    carry_all(*settings_of_ingest, stream.rows)


@pytest.fixture
def settings_of_ingest(settings: Settings, redis_client: RedisClient, history: History, demo_site: Site) -> Any:
    lease = Lease(redis_client, "ingest-0", "one", lambda: 0.0)
    return Ingest(settings, redis_client, history, lease, "one", lambda: 0), history


def carry_all(worker: Ingest, history: History, rows: Counter[tuple[str, str]]) -> None:
    """Whatever strangers say, the history takes it."""
    while worker.step():
        pass
    assert Counter(history.rows("SELECT visitor_id, event_id FROM events")) == rows
