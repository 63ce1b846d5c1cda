"""The personalizer's loops, as the product starts them."""

from datetime import UTC, datetime

import pytest

from baliza.settings import Settings
from baliza.sites import Site
from baliza.stores import History, RedisClient
from personalizer.carts.retarget import ROLE
from personalizer.models.store import ModelStore
from schema import keys
from tests.personalizer.planted import planted_history
from tests.personalizer.processes import serving
from tests.support.rows import insert_events
from tests.support.waiting import wait_for

pytestmark = [pytest.mark.redis, pytest.mark.usefixtures("closing_stores")]


def test_the_retargeting_process_gives_its_lease_back_when_told_to_stop(
    settings: Settings, redis_client: RedisClient, demo_site: Site
) -> None:
    with serving("retargeting", settings, retarget_interval_s=0.2):
        wait_for(lambda: bool(redis_client.exists(keys.lease(ROLE))), 30)
    assert not redis_client.exists(keys.lease(ROLE))


@pytest.mark.clickhouse
def test_the_trainer_process_makes_the_first_model(settings: Settings, demo_site: Site, history: History) -> None:
    insert_events(history, planted_history(datetime.now(UTC)))
    with serving("trainer", settings):
        wait_for(lambda: ModelStore(settings.model_dir).current("demo") is not None, 100)
