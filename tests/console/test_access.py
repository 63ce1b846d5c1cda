"""Who may read which site."""

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from baliza.sites import add_user
from baliza.stores import RedisClient
from schema import keys
from tests.console.conftest import TOKEN

pytestmark = [pytest.mark.redis, pytest.mark.clickhouse]
PATHS = ["/v1/reports/sessions", "/v1/reports/sessions?format=csv", "/v1/reports/sessions/s-1"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("sent", ["", "Bearer tok_wrong", "Basic eDp5", "Bearer sk_demo", "Bearer"])
def test_nobody_and_wrong_tokens_are_401_problems(client: FlaskClient, path: str, sent: str) -> None:
    answer = client.get(path, headers={"Authorization": sent} if sent else {})
    assert (answer.status_code, answer.mimetype) == (401, "application/problem+json")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert "expected" in answer.json["detail"] or "token" in answer.json["detail"]


def test_token_of_one_site_cannot_name_another(client: FlaskClient) -> None:
    answer = client.get("/v1/reports/sessions?site=other", headers=TOKEN)
    assert (answer.status_code, answer.mimetype) == (403, "application/problem+json")
    assert answer.json["detail"] == "site: expected demo, whose reports the token may read, got 'other'"
    assert client.get("/v1/reports/sessions?site=demo", headers=TOKEN).status_code == 200


def test_person_reads_reports_by_the_cookie_and_only_theirs(client: FlaskClient, log_in: Callable[..., int]) -> None:
    log_in()
    assert client.get("/v1/reports/sessions").json["site"] == "demo"
    answer = client.get("/v1/reports/sessions?site=other")
    assert (answer.status_code, answer.mimetype) == (403, "application/problem+json")
    assert client.get("/?site=other").status_code == 403


def test_wrong_token_is_not_rescued_by_a_cookie(client: FlaskClient, log_in: Callable[..., int]) -> None:
    log_in()
    assert client.get("/v1/reports/sessions", headers={"Authorization": "Bearer tok_wrong"}).status_code == 401


def test_person_without_a_site_is_told_what_to_do(
    client: FlaskClient, log_in: Callable[..., int], redis_client: RedisClient
) -> None:
    add_user(redis_client, "new", "new-new-new", [])
    log_in("new", "new-new-new")
    answer = client.get("/")
    assert answer.status_code == 404
    assert "new may see no site yet" in answer.text


def test_site_that_is_gone_is_said(client: FlaskClient, redis_client: RedisClient) -> None:
    redis_client.hdel(keys.SITES, "demo")
    answer = client.get("/v1/reports/sessions", headers=TOKEN)
    assert answer.status_code == 404
    assert "no site named 'demo' any more" in answer.json["detail"]
