"""The log of decisions on a real live store: fast, bounded, honest about what it lost."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from baliza import stores
from baliza.embedded.valkey import EmbeddedValkey
from baliza.metrics import DECISIONS_DROPPED
from baliza.settings import Settings
from baliza.stores import RedisClient
from personalizer.feedback import log as module
from personalizer.feedback.log import FIELD, DecisionLog
from personalizer.feedback.record import DecisionRecord, decode
from schema import keys
from tests.personalizer.feedback.records import decision
from tests.support.waiting import wait_for

pytestmark = pytest.mark.redis
PARTITIONS = 8


def logged(redis: RedisClient) -> list[DecisionRecord]:
    entries = (redis.xrange(keys.decisions(partition)) for partition in range(PARTITIONS))
    return [decode(fields[FIELD]) for found in entries for _, fields in found]


def dropped(reason: str) -> float:
    value: float = DECISIONS_DROPPED.labels(reason)._value.get()
    return value


@pytest.fixture
def decisions(redis_client: RedisClient) -> Iterator[DecisionLog]:
    with closing(DecisionLog(redis_client, PARTITIONS, 1_000_000)) as log:
        yield log


def test_a_decision_lies_in_the_partition_of_its_visitor_a_moment_later(
    redis_client: RedisClient, decisions: DecisionLog
) -> None:
    decisions.write(decision("d-1", "bulb rug", visitor_id="v-7"))
    partition = keys.partition_of("v-7", PARTITIONS)
    wait_for(lambda: redis_client.xlen(keys.decisions(partition)) == 1, 20)
    (record,) = logged(redis_client)
    assert (record.decision_id, [offer.rank for offer in record.offers]) == ("d-1", [1, 2])


def test_of_nobody_nothing_is_logged(redis_client: RedisClient) -> None:
    with closing(DecisionLog(redis_client, PARTITIONS, 1_000)) as decisions:
        decisions.write(decision("d-1", visitor_id=""))
        decisions.write(decision("d-2", offers=()))
        decisions.write(decision("d-3"))
    assert [record.decision_id for record in logged(redis_client)] == ["d-3"]


def test_many_threads_lose_nothing_and_closing_writes_what_is_left(redis_client: RedisClient) -> None:
    def some(thread: int) -> None:
        for number in range(300):
            decisions.write(decision(f"d-{thread}-{number}", visitor_id=f"v-{number}"))

    with closing(DecisionLog(redis_client, PARTITIONS, 1_000_000)) as decisions:
        threads = [threading.Thread(target=some, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    found = [record.decision_id for record in logged(redis_client)]
    assert len(found) == len(set(found)) == 2_400


def test_what_comes_together_goes_in_one_round_trip(
    redis_client: RedisClient, decisions: DecisionLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    trips: list[int] = []
    write_all = DecisionLog._write_all
    monkeypatch.setattr(
        DecisionLog, "_write_all", lambda log, waiting, due: (trips.append(len(waiting)), write_all(log, waiting, due))
    )
    monkeypatch.setattr(module, "FLUSH_EVERY_S", 0.5)
    for number in range(50):
        decisions.write(decision(f"d-{number}", visitor_id=f"v-{number}"))
    wait_for(lambda: len(logged(redis_client)) == 50, 20)
    assert trips == [50]


def test_a_flood_is_bounded_in_memory_and_counted(redis_client: RedisClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_IN_MEMORY", 100)
    monkeypatch.setattr(module, "FLUSH_EVERY_S", 60)
    before = dropped("memory_full")
    with closing(DecisionLog(redis_client, PARTITIONS, 1_000_000)) as decisions:
        for number in range(250):
            decisions.write(decision(f"d-{number}"))
        assert dropped("memory_full") - before == 150
    assert [record.decision_id for record in logged(redis_client)] == [f"d-{number}" for number in range(100)]


def test_a_backlog_is_bounded_in_the_live_store_and_counted(redis_client: RedisClient) -> None:
    clock = [0.0]
    before = dropped("backlog")
    with closing(DecisionLog(redis_client, PARTITIONS, 10 * PARTITIONS, lambda: clock[0])) as decisions:
        partition = keys.partition_of("v-1", PARTITIONS)
        for number in range(30):
            decisions.write(decision(f"d-{number}"))
            # Only when the log has heard how much lies there does time go on.
            wait_for(lambda seen=number: decisions._lengths.get(partition, (0, 0))[1] == min(seen + 1, 10), 20)
            clock[0] += 2
        wait_for(lambda: dropped("backlog") - before == 20, 20)
        assert len(logged(redis_client)) == 10
        redis_client.delete(keys.decisions(partition))  # as if it had been carried

        def taken_again() -> bool:
            clock[0] += 2
            decisions.write(decision("again"))
            return bool(logged(redis_client))

        wait_for(taken_again, 20)


def test_a_record_that_cannot_be_written_down_stops_no_other(
    redis_client: RedisClient, decisions: DecisionLog, caplog: pytest.LogCaptureFixture
) -> None:
    decisions.write(decision("d-1", model=object()))
    wait_for(lambda: "could not be logged" in caplog.text, 20)
    decisions.write(decision("d-2"))
    wait_for(lambda: [record.decision_id for record in logged(redis_client)] == ["d-2"], 20)


@pytest.fixture
def own(tmp_path: Path, settings: Settings) -> Iterator[tuple[EmbeddedValkey, RedisClient]]:
    server = EmbeddedValkey(tmp_path / "own")
    server.start()
    with stores.redis(replace(settings, redis_url=server.url), 0.3) as redis:
        yield server, redis
    server.stop()


def test_a_store_that_is_started_again_has_all(own: tuple[EmbeddedValkey, RedisClient]) -> None:
    server, redis = own
    with closing(DecisionLog(redis, PARTITIONS, 1_000)) as decisions:
        decisions.write(decision("before"))
        wait_for(lambda: len(logged(redis)) == 1, 20)
        server.kill()
        decisions.write(decision("meanwhile"))
        time.sleep(0.2)
        server.start()
        wait_for(lambda: {record.decision_id for record in logged(redis)} == {"before", "meanwhile"}, 20)


def test_a_store_that_stays_away_is_given_up_said_once_and_counted(
    own: tuple[EmbeddedValkey, RedisClient], caplog: pytest.LogCaptureFixture
) -> None:
    server, redis = own
    server.stop()
    before = dropped("store_down")
    with closing(DecisionLog(redis, PARTITIONS, 1_000, waits_s=(0.01, 0.01))) as decisions:
        for number in range(3):
            decisions.write(decision(f"d-{number}"))
            wait_for(lambda seen=number: dropped("store_down") - before == seen + 1, 20)
        assert caplog.text.count("are not logged") == 1
        server.start()
        decisions.write(decision("after"))
        wait_for(lambda: [record.decision_id for record in logged(redis)] == ["after"], 20)


def test_a_store_that_hangs_holds_up_no_request(own: tuple[EmbeddedValkey, RedisClient]) -> None:
    server, redis = own
    assert server.process is not None
    with closing(DecisionLog(redis, PARTITIONS, 1_000_000, waits_s=(0.01,))) as decisions:
        server.process.send_signal(signal.SIGSTOP)
        try:
            began = time.monotonic()
            for number in range(2_000):
                decisions.write(decision(f"d-{number}"))
            took_s = time.monotonic() - began
        finally:
            server.process.send_signal(signal.SIGCONT)
        # Each would have taken the store's 0.3 s, had it waited.
        assert took_s < 30


def test_a_full_store_costs_decisions_and_nothing_else(own: tuple[EmbeddedValkey, RedisClient]) -> None:
    _, redis = own
    redis.config_set("maxmemory-policy", "noeviction")
    redis.config_set("maxmemory", 1)
    before = dropped("store_down")
    with closing(DecisionLog(redis, PARTITIONS, 1_000, waits_s=(0.01,))) as decisions:
        decisions.write(decision("d-1"))
        wait_for(lambda: dropped("store_down") == before + 1, 20)
        redis.config_set("maxmemory", 0)
        decisions.write(decision("d-2"))
        wait_for(lambda: [record.decision_id for record in logged(redis)] == ["d-2"], 20)
