import pytest

from baliza import stores
from baliza.embedded.valkey import free_port
from baliza.metrics import DECISIONS_WAITING, OLDEST_DECISION, Reading
from baliza.settings import Settings
from baliza.stores import RedisClient
from personalizer.feedback.gauges import DecisionGauges
from schema import keys

pytestmark = pytest.mark.redis


def test_tells_how_many_wait_and_the_age_of_the_oldest(redis_client: RedisClient) -> None:
    redis_client.xadd(keys.decisions(3), {"d": b""}, id="1000-0")
    redis_client.xadd(keys.decisions(3), {"d": b""}, id="9000-0")
    redis_client.xadd(keys.decisions(5), {"d": b""}, id="4000-0")
    found = DecisionGauges(redis_client, 8, lambda: 11_500)()
    assert tuple(found) == (Reading(DECISIONS_WAITING, 3), Reading(OLDEST_DECISION, 10.5))


def test_nothing_waits(redis_client: RedisClient) -> None:
    assert tuple(DecisionGauges(redis_client, 8, lambda: 1)()) == (
        Reading(DECISIONS_WAITING, 0),
        Reading(OLDEST_DECISION, 0.0),
    )


def test_without_a_live_store_there_are_no_readings() -> None:
    with stores.redis(Settings(redis_url=f"redis://127.0.0.1:{free_port()}/0"), 0.2) as away:
        assert DecisionGauges(away, 8, lambda: 1)() == ()
