"""The personalizer's processes, as the product starts them."""

import httpx
import pytest

from baliza.embedded.valkey import free_port
from baliza.settings import Settings
from baliza.sites import Site
from baliza.stores import RedisClient
from personalizer.feedback.log import FIELD
from personalizer.feedback.record import decode
from personalizer.models.store import ModelStore
from personalizer.serve import personalizer_wsgi
from schema import keys
from tests.personalizer.planted import NOW, VISITOR, observe, planted_model
from tests.personalizer.processes import answers, serving
from tests.support.waiting import wait_for

pytestmark = [pytest.mark.redis, pytest.mark.usefixtures("closing_stores")]


def test_the_app_has_real_clocks_and_models(settings: Settings, demo_site: Site) -> None:
    ModelStore(settings.model_dir).save("demo", planted_model(), {}, NOW)
    client = personalizer_wsgi(settings).test_client()
    first, second = (client.get("/v1/offers?key=pk_demo").json for _ in range(2))
    assert first is not None
    assert second is not None
    assert len(first["offers"]) == 5
    assert first["decision_id"] != second["decision_id"]


def test_answers_offers_on_its_port(settings: Settings, demo_site: Site) -> None:
    ModelStore(settings.model_dir).save("demo", planted_model(), {}, NOW)
    port = free_port()
    with serving("personalizer", settings, public_port=port, collector_workers=1):
        wait_for(lambda: answers(f"http://127.0.0.1:{port}/ready"), 30)
        offers = httpx.get(f"http://127.0.0.1:{port}/v1/offers", params={"key": "pk_demo", "limit": 1}).json()["offers"]
    assert offers[0]["item_id"] == "rug"


def test_what_was_decided_last_is_logged_when_told_to_stop(
    settings: Settings, redis_client: RedisClient, demo_site: Site
) -> None:
    ModelStore(settings.model_dir).save("demo", planted_model(), {}, NOW)
    observe(redis_client, VISITOR, "view_item", ["phone"])
    port = free_port()
    url = f"http://127.0.0.1:{port}/v1/offers?key=pk_demo&visitor={VISITOR}&placement=home"
    with serving("public", settings, public_port=port, collector_workers=1, offer_budget_ms=2_000):
        wait_for(lambda: answers(f"http://127.0.0.1:{port}/ready"), 30)
        told = [httpx.get(url).json()["decision_id"] for _ in range(20)]
    entries = redis_client.xrange(keys.decisions(keys.partition_of(VISITOR, settings.partitions)))
    assert [decode(fields[FIELD]).decision_id for _, fields in entries] == told
