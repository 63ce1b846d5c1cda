"""The console as a whole: headers, errors, readiness."""

from collections.abc import Callable

import pytest
from clickhouse_driver import Client
from flask.testing import FlaskClient
from redis import Redis

from baliza.settings import Settings
from baliza.sites import SiteRegistry, load_sites
from baliza.stores import History, RedisClient
from console.app import create_app
from tests.console.conftest import TOKEN
from tests.support.rows import NOON

pytestmark = [pytest.mark.redis, pytest.mark.clickhouse]


@pytest.mark.parametrize("path", ["/login", "/nowhere", "/v1/reports/sessions", "/static/console.css", "/health"])
def test_every_answer_is_guarded(client: FlaskClient, path: str) -> None:
    with client.get(path) as answer:
        headers = answer.headers
    assert headers["Content-Security-Policy"].startswith("default-src 'self';")
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert ("no-store" in headers["Cache-Control"]) == (path != "/static/console.css")


def test_pages_keep_to_the_policy(client: FlaskClient, log_in: Callable[..., int]) -> None:
    log_in()
    for path in ("/", "/login", "/nowhere"):
        page = client.get(path).text
        assert " style=" not in page
        assert "<style" not in page
        assert "<script" not in page


def test_unknown_path_is_a_page_for_people_and_a_problem_for_programs(client: FlaskClient) -> None:
    assert (client.get("/nowhere").status_code, client.get("/nowhere").mimetype) == (404, "text/html")
    answer = client.get("/v1/nowhere")
    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")


def test_is_ready_when_both_stores_answer(client: FlaskClient) -> None:
    assert client.get("/health").json == {"status": "alive"}
    assert client.get("/ready").json == {"ready": True, "live_store": "answers", "history": "answers"}


def test_is_not_ready_without_history(settings: Settings, redis_client: RedisClient) -> None:
    nowhere = History(lambda: Client("127.0.0.1", port=1, connect_timeout=1))
    away = create_app(settings, redis_client, nowhere, lambda: SiteRegistry.of([]), lambda: NOON).test_client()
    assert away.get("/ready").status_code == 503
    assert away.get("/ready").json["live_store"] == "answers"


def test_reports_without_history_are_503_problems(settings: Settings, redis_client: RedisClient, app: object) -> None:
    nowhere = History(lambda: Client("127.0.0.1", port=1, connect_timeout=1))
    away = create_app(settings, redis_client, nowhere, lambda: load_sites(redis_client), lambda: NOON).test_client()
    for query in ("", "?format=csv"):
        answer = away.get(f"/v1/reports/sessions{query}", headers=TOKEN)
        assert (answer.status_code, answer.mimetype) == (503, "application/problem+json")
        assert answer.headers["Retry-After"] == "2"


def test_live_store_away_is_a_page_that_says_so(settings: Settings, history: History) -> None:
    with Redis(port=1, socket_connect_timeout=1) as gone:
        away = create_app(settings, gone, history, lambda: SiteRegistry.of([]), lambda: NOON).test_client()
        with away.session_transaction() as cookie:
            cookie["user"] = "demo"
        answer = away.get("/")
    assert (answer.status_code, answer.mimetype) == (503, "text/html")
    assert "Nothing is lost" in answer.text


def test_form_of_absurd_size_is_refused(client: FlaskClient) -> None:
    assert client.post("/login", data={"name": "x" * 100_000}).status_code == 413
