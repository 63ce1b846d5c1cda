import json

import pytest

from baliza.settings import Settings
from baliza.stores import RedisClient
from schema import keys
from tracker.brake import Brake, Braked
from tracker.request import Answer, Request
from tracker.serve import now_ms, tracker_wsgi
from tracker.wsgi_bridge import call_wsgi, environ_of

pytestmark = pytest.mark.redis


def ask(settings: Settings, target: str) -> Answer:
    return call_wsgi(tracker_wsgi(settings), environ_of(Request("GET", target, {}, b"", "192.0.2.7"), 0))


def test_is_not_ready_while_ingest_is_braked(redis_client: RedisClient, settings: Settings) -> None:
    Brake(redis_client, 0).pull(Braked("no such column"))
    answer = ask(settings, "/ready")
    assert answer.status == 503
    assert b"ingest 0 is braked" in answer.body


def test_is_ready_when_the_store_answers_and_nothing_waits(redis_client: RedisClient, settings: Settings) -> None:
    answer = ask(settings, "/ready")
    assert answer.status == 200
    stores = {"live_store": "answers", "ingest_lag": "0.0 s", "ingest_brake": "released"}
    assert json.loads(answer.body) == {"ready": True} | stores


def test_is_not_ready_when_events_wait_too_long(redis_client: RedisClient, settings: Settings) -> None:
    redis_client.xadd(keys.events(3), {"b": "{}"}, id=f"{now_ms() - 400_000}-0")
    answer = ask(settings, "/ready")
    assert answer.status == 503
    assert "events have waited 400 s for the history; the limit is 300 s" in json.loads(answer.body)["ingest_lag"]


def test_is_alive_and_not_ready_without_a_store() -> None:
    settings = Settings(redis_url="redis://127.0.0.1:1/0", redis_timeout_s=0.2)
    assert ask(settings, "/health").status == 200
    answer = ask(settings, "/ready")
    assert answer.status == 503
    assert "the live store does not answer" in json.loads(answer.body)["live_store"]
