"""GET /v1/responses on a real history."""

import time
from datetime import timedelta

import pytest
from flask.testing import FlaskClient

from baliza.errors import StoreDown
from baliza.http import base_app
from baliza.sites import CachedRegistry, Site
from baliza.stores import History, RedisClient
from personalizer.feedback.app import add_responses
from tests.personalizer.feedback.told import NOW, START, bought, decide, offered, tell, told

SECRET = {"Authorization": "Bearer sk_demo"}
pytestmark = pytest.mark.redis


@pytest.fixture
def client(redis_client: RedisClient, demo_site: Site, history: History) -> FlaskClient:
    app = base_app("personalizer", {})
    add_responses(app, history, CachedRegistry(redis_client, time.monotonic), lambda: NOW)
    return app.test_client()


@pytest.mark.clickhouse
def test_tells_a_shops_server_how_its_visitors_answered(client: FlaskClient, history: History) -> None:
    decide(history, offered("d-1", "bulb rug"), offered("d-2", "bulb", site="other"))
    tell(history, told("offer_shown", "d-1", "bulb rug"), told("offer_clicked", "d-1", "bulb", START + timedelta(minutes=1)))
    tell(history, bought("o-1", [("bulb", "4.50", 3)], START + timedelta(hours=1)))
    answer = client.get("/v1/responses", headers=SECRET)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    found = answer.json
    assert found is not None
    (line,) = found["responses"]
    assert (line["decided"], line["shown"], line["clicked"], line["bought"], line["rate"]) == (2, 2, 1, 1, 0.5)
    assert found["total"]["revenue"] == {"EUR": "13.50"}
    assert (found["site"], found["attribution_window_s"]) == ("demo", 432_000)

    def between(since: timedelta, until: timedelta) -> int:
        asked = {"since": (START + since).isoformat(), "until": (START + until).isoformat()}
        answer = client.get("/v1/responses", query_string=asked, headers=SECRET)
        assert answer.json is not None, answer.text
        return len(answer.json["responses"])

    hour = timedelta(hours=1)
    assert (between(-hour, hour), between(hour, 2 * hour), between(-2 * hour, -hour)) == (1, 0, 0)


@pytest.fixture
def unasked(redis_client: RedisClient, demo_site: Site) -> FlaskClient:
    """An app whose history is not there."""

    def away() -> None:
        raise StoreDown("the history does not answer")

    app = base_app("personalizer", {})
    add_responses(app, History(away), CachedRegistry(redis_client, time.monotonic), lambda: NOW)  # type: ignore[arg-type]
    return app.test_client()


def test_a_publishable_key_does_not_read_it(unasked: FlaskClient) -> None:
    assert unasked.get("/v1/responses?key=pk_demo").status_code == 401
    assert unasked.get("/v1/responses", headers={"Authorization": "Bearer pk_demo"}).status_code == 401


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("since=yesterday", "since: expected an instant such as"),
        ("until=2026-11-21T10:00:00", "until: expected an instant such as"),
        ("until=9999-11-21T10:00:00Z", "until: expected an instant such as"),
        ("since=2026-11-21T10:00:00Z&until=2026-11-21T10:00:00Z", "since: expected a time before until"),
    ],
)
def test_bad_arguments_are_told(unasked: FlaskClient, arguments: str, said: str) -> None:
    answer = unasked.get(f"/v1/responses?{arguments}", headers=SECRET)
    assert answer.status_code == 400
    assert said in answer.text


def test_a_history_that_is_away_is_503(unasked: FlaskClient) -> None:
    assert unasked.get("/v1/responses", headers=SECRET).status_code == 503
