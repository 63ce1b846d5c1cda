"""Processes that hang and go on later, as on a machine that sleeps: nothing is lost, nothing counts twice."""

import random
import signal
import time
from datetime import UTC, datetime

import psutil
import pytest

from tests.reliability.crowd import Crowd
from tests.reliability.services import Services
from tests.reliability.truth import assert_everything_once, stored_ids
from tests.support.product import wait_for

pytestmark = [pytest.mark.network, pytest.mark.redis, pytest.mark.clickhouse, pytest.mark.long]

ROUNDS = 4


def test_an_ingest_that_slept_through_its_lease_doubles_nothing(services: Services) -> None:
    """It wakes up in the middle of a batch that another has finished for it."""
    dice = random.Random(1)
    crowd = Crowd(services.url, datetime.now(UTC), 8, batches_per_s=80)
    other = services.another_ingest()
    try:
        awake, asleep = services.ingest, other
        for _ in range(ROUNDS):
            crowd.wait_for(20)
            time.sleep(dice.uniform(0, 0.3))
            awake.send_signal(signal.SIGSTOP)
            stored = len(stored_ids(services.client))
            wait_for(lambda stored=stored: len(stored_ids(services.client)) > stored, 30)  # type: ignore[misc]
            awake.send_signal(signal.SIGCONT)
            awake, asleep = asleep, awake
        crowd.stop()
        services.until_nothing_waits()
        assert_everything_once(crowd, stored_ids(services.client))
        assert services.client.execute("SELECT sum(events) FROM sessions") == [(len(stored_ids(services.client)),)]
    finally:
        other.send_signal(signal.SIGCONT)
        other.terminate()
        other.wait(20)


def test_a_collector_worker_that_hangs_is_replaced(services: Services) -> None:
    crowd = Crowd(services.url, datetime.now(UTC), 9, batches_per_s=60)
    crowd.wait_for(20)
    (worker,) = psutil.Process(services.process.pid).children()
    worker.suspend()
    wait_for(lambda: worker.pid not in {each.pid for each in psutil.Process(services.process.pid).children()}, 60)
    crowd.wait_for(20, timeout_s=60)
    crowd.stop()
    services.until_nothing_waits()
    assert_everything_once(crowd, stored_ids(services.client))
