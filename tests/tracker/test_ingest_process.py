"""The ingest process as it is started in production: stopped in the middle, and with a history that is away."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from baliza.settings import Settings
from baliza.stores import History, RedisClient
from schema import keys
from tests.support.collecting import Shop, event

pytestmark = [pytest.mark.redis, pytest.mark.clickhouse]
MB = 1024 * 1024


@contextmanager
def ingesting(settings: Settings, log: Path, **env: object) -> Iterator[subprocess.Popen[bytes]]:
    given = {"DATA_DIR": settings.data_dir, "REDIS_URL": settings.redis_url, "CLICKHOUSE_URL": settings.clickhouse_url}
    given |= {"PARTITIONS": settings.partitions, "INGEST_INTERVAL_S": 0.01} | env
    texts = {f"BALIZA_{name}": str(value) for name, value in given.items()}
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "baliza.cli", "serve", "ingest"], env=os.environ | texts, stdout=output, stderr=output
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(10)


def until(happened: Callable[[], object], within_s: float = 60.0) -> None:
    over = time.monotonic() + within_s
    while not happened():
        assert time.monotonic() < over, "it did not happen"
        time.sleep(0.02)


def waiting(redis: RedisClient) -> int:
    return int(sum(redis.xlen(keys.events(n)) for n in range(8)))


def fill(shop: Shop, redis: RedisClient, entries: int, term: str = "lamp") -> None:
    """Copies of one accepted entry, each an event to the history."""
    shop.send(event("search", search_term=term))
    ((_, entry),) = redis.xrange(keys.events(keys.partition_of("v-1", 8)))
    pipe = redis.pipeline(transaction=False)
    for number in range(1, entries):
        pipe.xadd(keys.events(number % 8), entry)
    pipe.execute()


def test_stopped_in_the_middle_it_ends_cleanly_and_the_next_one_goes_on(
    shop: Shop, settings: Settings, history: History, redis_client: RedisClient, tmp_path: Path
) -> None:
    fill(shop, redis_client, 2_000)
    log = tmp_path / "ingest.log"
    with ingesting(settings, log, INGEST_MAX_EVENTS=200) as process:
        until(lambda: waiting(redis_client) < 1_700)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    left = waiting(redis_client)
    assert left
    assert redis_client.get(keys.manifest(0)) is None, "the batch was finished"
    assert history.rows("SELECT count() FROM events") == [(2_000 - left,)]
    with ingesting(settings, log, INGEST_MAX_EVENTS=200) as process:
        until(lambda: not waiting(redis_client))
        process.kill()
    assert history.rows("SELECT count(), (SELECT sum(taken) FROM receipts) FROM events") == [(2_000, 2_000)]


@pytest.mark.long
def test_without_a_history_memory_and_log_stay_small_and_nothing_is_lost(
    shop: Shop, settings: Settings, history: History, redis_client: RedisClient, tmp_path: Path
) -> None:
    log = tmp_path / "ingest.log"
    fill(shop, redis_client, 80_000, term="x" * 150)
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        nowhere = "clickhouse://{}:{}/none".format(*nobody.getsockname())
    with ingesting(settings, log, CLICKHOUSE_URL=nowhere, INGEST_MAX_EVENTS=1_000_000) as process:
        until(lambda: redis_client.get(keys.manifest(0)))
        peak = 0
        over = time.monotonic() + 15
        while time.monotonic() < over:
            peak = max(peak, psutil.Process(process.pid).memory_info().rss)
            time.sleep(0.05)
        assert peak < 250 * MB
        assert log.read_text().count("events wait in the live store") == 1
        process.terminate()
        assert process.wait(20) == 0
    assert waiting(redis_client) == 80_000
    with ingesting(settings, log):
        until(lambda: not waiting(redis_client), 120)
    assert history.rows("SELECT count(), (SELECT sum(taken) FROM receipts) FROM events") == [(80_000, 80_000)]
