"""Decisions on their way into the history: all of them arrive, whatever is killed, and none counts twice."""

import math
import os
import subprocess
import sys
import threading
import time
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from baliza import stores
from baliza.embedded.clickhouse import EmbeddedClickHouse
from baliza.errors import StoreDown
from baliza.metrics import DECISIONS_DROPPED
from baliza.migrations import migrate
from baliza.settings import Settings
from baliza.sites import Site
from baliza.stores import History, RedisClient
from personalizer.feedback import carrier as module
from personalizer.feedback.carrier import Carried, Carrier, rows, serve_carrier
from personalizer.feedback.log import FIELD, DecisionLog
from personalizer.feedback.record import encode
from schema import keys
from tests.personalizer.feedback.records import decision, logged_offer
from tests.personalizer.processes import serving
from tests.support.waiting import looping, wait_for

pytestmark = [pytest.mark.redis, pytest.mark.clickhouse, pytest.mark.usefixtures("closing_stores")]
PARTITIONS = 8


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def put(redis: RedisClient, *ids: str, visitor_id: str = "v-1", **given: Any) -> None:
    """Decisions of now: the table forgets what is old."""
    pipe = redis.pipeline(transaction=False)
    for decision_id in ids:
        record = decision(decision_id, "bulb rug", visitor_id=visitor_id, **{"decided_at_ms": now_ms()} | given)
        pipe.xadd(keys.decisions(keys.partition_of(visitor_id, PARTITIONS)), {FIELD: encode(record)})
    pipe.execute()


def waiting(redis: RedisClient) -> int:
    return int(sum(redis.xlen(keys.decisions(partition)) for partition in range(PARTITIONS)))


def stored(history: History) -> dict[str, int]:
    """Decision → rows, as a reader has them."""
    return dict(history.rows("SELECT decision_id, count() FROM decisions FINAL GROUP BY decision_id"))  # type: ignore[arg-type]


@pytest.fixture
def carrier(redis_client: RedisClient, history: History) -> Carrier:
    return Carrier(redis_client, history, PARTITIONS)


def test_every_column_arrives(redis_client: RedisClient, carrier: Carrier, history: History) -> None:
    at_ms = now_ms()
    offer = logged_offer("bulb", 3, score=0.25, p_next=0.125, p_response=0.5, value=40.0, propensity=0.0625)
    put(
        redis_client,
        "d-1",
        decided_at_ms=at_ms,
        offers=(offer,),
        session_id="s-1",
        model="m-1",
        fallback="no_profile",
        explored=True,
    )
    assert carrier.step() == Carried(1, more=False)
    assert waiting(redis_client) == 0
    (row,) = history.records("SELECT * FROM decisions")
    assert row == {
        "site": "demo", "decided_at": datetime.fromtimestamp(at_ms / 1000, UTC), "decision_id": "d-1", "rank": 3,
        "visitor_id": "v-1", "session_id": "s-1", "placement": "cart", "model": "m-1", "fallback": "no_profile",
        "explored": 1, "item_id": "bulb", "source": "together", "reason": "bought_together",
        "response_code": "cart.together", "score": 0.25, "p_next": 0.125, "p_response": 0.5, "value": 40.0,
        "propensity": 0.0625,
    }  # fmt: skip


def test_what_is_not_known_stays_so(redis_client: RedisClient, carrier: Carrier, history: History) -> None:
    put(redis_client, "d-1")
    carrier.step()
    assert all(math.isnan(p_next) for (p_next,) in history.rows("SELECT p_next FROM decisions"))


def test_the_same_record_always_gives_the_same_rows() -> None:
    record = decision("d-1", "bulb rug lamp")
    assert repr(list(rows(record))) == repr(list(rows(record)))
    assert [row[3] for row in rows(record)] == [1, 2, 3]


def test_killed_between_insert_and_trim_nothing_is_there_twice(
    redis_client: RedisClient, carrier: Carrier, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise SystemExit

    put(redis_client, "d-1", "d-2")
    with monkeypatch.context() as patched:
        patched.setattr(Carrier, "_trim", killed)
        with pytest.raises(SystemExit):
            carrier.step()
    put(redis_client, "d-3")  # so that the second insert is not the same block, which the engine would know
    carrier.step()
    assert history.rows("SELECT count() FROM decisions") == [(10,)]
    assert stored(history) == {"d-1": 2, "d-2": 2, "d-3": 2}
    history.client().execute("OPTIMIZE TABLE decisions FINAL")
    assert history.rows("SELECT count() FROM decisions") == [(6,)]


def test_what_cannot_be_read_is_left_out_counted_and_told(
    redis_client: RedisClient, carrier: Carrier, history: History, caplog: pytest.LogCaptureFixture
) -> None:
    before = DECISIONS_DROPPED.labels("unreadable")._value.get()
    redis_client.xadd(keys.decisions(0), {FIELD: b"rubbish"})
    redis_client.xadd(keys.decisions(0), {"other": b""})
    put(redis_client, "d-1")
    assert carrier.step() == Carried(1, more=False)
    assert (waiting(redis_client), list(stored(history))) == (0, ["d-1"])
    assert DECISIONS_DROPPED.labels("unreadable")._value.get() == before + 2
    assert "a logged decision cannot be read" in caplog.text


def test_one_full_partition_is_emptied_without_pauses(
    redis_client: RedisClient, carrier: Carrier, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 100)
    put(redis_client, *(f"d-{number}" for number in range(230)))
    put(redis_client, "other", visitor_id="v-2")
    steps = [carrier.step() for _ in range(5)]
    assert [step.decisions for step in steps] == [51, 100, 80, 0, 0]
    assert [step.more for step in steps] == [True, True, False, False, False]
    assert len(stored(history)) == 231


def test_two_carriers_at_once_do_no_harm(redis_client: RedisClient, history: History) -> None:
    put(redis_client, *(f"d-{number}" for number in range(400)))
    both = [Carrier(redis_client, history, PARTITIONS) for _ in range(2)]

    def empty(carrier: Carrier) -> None:
        while carrier.step().decisions:
            pass

    threads = [threading.Thread(target=empty, args=(carrier,)) for carrier in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stored(history) == {f"d-{number}": 2 for number in range(400)}


def test_old_decisions_are_forgotten(redis_client: RedisClient, carrier: Carrier, history: History) -> None:
    put(redis_client, "now")
    put(redis_client, "then", decided_at_ms=now_ms() - 250 * 24 * 3_600_000)
    carrier.step()
    history.client().execute("OPTIMIZE TABLE decisions FINAL")
    assert list(stored(history)) == ["now"]


def test_while_the_history_is_away_decisions_wait(
    settings: Settings, redis_client: RedisClient, tmp_path: Any, caplog: pytest.LogCaptureFixture
) -> None:
    server = EmbeddedClickHouse(tmp_path / "own")
    server.start()
    client = stores.Client.from_url(server.url())
    migrate(client)
    settings = replace(settings, clickhouse_url=server.url())
    history = History(lambda: client)
    try:
        server.kill()
        with looping(serve_carrier, settings):
            put(redis_client, "d-1")
            wait_for(lambda: "decisions wait in the live store" in caplog.text, 30)
            assert waiting(redis_client) == 1
            server.start()
            wait_for(lambda: waiting(redis_client) == 0, 30)
        assert stored(history) == {"d-1": 2}
        assert caplog.text.count("decisions wait in the live store") == 1
        assert not redis_client.exists(keys.lease(module.ROLE))
    finally:
        client.disconnect()
        server.stop()


@pytest.mark.usefixtures("own_database")
def test_a_missing_table_loses_nothing(redis_client: RedisClient, carrier: Carrier, history: History) -> None:
    put(redis_client, "d-1")
    history.client().execute("RENAME TABLE decisions TO elsewhere")
    with pytest.raises(stores.clickhouse_errors.ServerException):
        carrier.step()
    assert waiting(redis_client) == 1
    history.client().execute("RENAME TABLE elsewhere TO decisions")
    assert carrier.step().decisions == 1


def test_a_live_store_that_is_away_is_told(history: History, settings: Settings) -> None:
    with stores.redis(replace(settings, redis_url="redis://127.0.0.1:1/0"), 0.2) as away, pytest.raises(StoreDown):
        Carrier(away, history, PARTITIONS).step()


def start_retargeting(settings: Settings) -> subprocess.Popen[bytes]:
    names = ("data_dir", "redis_url", "clickhouse_url", "partitions")
    given = {f"BALIZA_{name.upper()}": str(getattr(settings, name)) for name in names}
    return subprocess.Popen([sys.executable, "-m", "baliza.cli", "serve", "retargeting"], env=os.environ | given)


@pytest.mark.long
def test_killed_again_and_again_under_load_all_arrive_once(
    settings: Settings, redis_client: RedisClient, demo_site: Site, history: History
) -> None:
    written = 0
    with closing(DecisionLog(redis_client, PARTITIONS, 1_000_000)) as log:

        def write(count: int) -> None:
            nonlocal written
            for _ in range(count):
                log.write(decision(f"d-{written}", "bulb rug", visitor_id=f"v-{written % 50}", decided_at_ms=now_ms()))
                written += 1

        for _ in range(8):
            redis_client.delete(keys.lease(module.ROLE))  # that of the killed one would run out in ten seconds
            process = start_retargeting(settings)
            try:
                write(500)
                before = len(stored(history))
                wait_for(lambda seen=before: len(stored(history)) > seen, 30)
                write(500)
            finally:
                process.kill()
                process.wait()
        redis_client.delete(keys.lease(module.ROLE))
    with serving("retargeting", settings):
        wait_for(lambda: waiting(redis_client) == 0, 30)
    assert stored(history) == {f"d-{number}": 2 for number in range(written)}
    assert not redis_client.exists(keys.lease(module.ROLE))
