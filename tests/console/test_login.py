"""Logging in and out."""

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from baliza.settings import Settings
from baliza.sites import SiteRegistry, add_user
from baliza.stores import History, RedisClient
from console.app import create_app
from console.login import local_path
from console.throttle import TRIES_PER_NAME
from tests.console.conftest import form_token
from tests.support.rows import NOON

pytestmark = [pytest.mark.redis, pytest.mark.clickhouse]
LogIn = Callable[..., int]


def test_right_password_opens_the_console(client: FlaskClient, log_in: LogIn) -> None:
    assert client.get("/").headers["Location"] == "/login?next=/"
    assert log_in() == 303
    assert client.get("/").status_code == 200
    assert client.get("/login").headers["Location"] == "/"


@pytest.mark.parametrize(("name", "password"), [("demo", "wrong-wrong"), ("nobody", "demo-demo"), ("", ""), ("demo", "")])
def test_wrong_password_says_so_and_opens_nothing(client: FlaskClient, log_in: LogIn, name: str, password: str) -> None:
    assert log_in(name, password) == 401
    assert client.get("/").status_code == 302


def test_cookie_is_closed_to_scripts_and_other_sites(client: FlaskClient, log_in: LogIn) -> None:
    log_in()
    cookie = client.get_cookie("baliza_console")
    assert cookie is not None
    assert cookie.http_only
    assert cookie.same_site == "Lax"
    assert not cookie.secure


def test_cookie_is_secure_when_set_so(settings: Settings, redis_client: RedisClient, history: History) -> None:
    safe = Settings(data_dir=settings.data_dir, secure_cookies=True)
    app = create_app(safe, redis_client, history, lambda: SiteRegistry.of([]), lambda: NOON)
    assert "; Secure;" in app.test_client().get("/login").headers["Set-Cookie"]


@pytest.mark.parametrize("path", ["/login", "/logout"])
@pytest.mark.parametrize("token", ["", "guessed", "ünïcode"])
def test_form_without_its_token_is_refused(client: FlaskClient, log_in: LogIn, path: str, token: str) -> None:
    log_in()
    answer = client.post(path, data={"name": "demo", "password": "demo-demo", "form_token": token})
    assert answer.status_code == 403
    assert client.get("/").status_code == 200, "a forged log-out must not log out"


def test_token_of_another_browser_is_refused(app: Flask, client: FlaskClient) -> None:
    stolen = form_token(app.test_client().get("/login").text)
    client.get("/login")
    answer = client.post("/login", data={"name": "demo", "password": "demo-demo", "form_token": stolen})
    assert answer.status_code == 403


def test_log_out_closes_the_console(client: FlaskClient, log_in: LogIn) -> None:
    log_in()
    token = form_token(client.get("/").text)
    assert client.post("/logout", data={"form_token": token}).status_code == 303
    assert client.get("/").status_code == 302


def test_too_many_tries_must_wait_even_with_the_right_password(client: FlaskClient, log_in: LogIn) -> None:
    assert [log_in(password="wrong-wrong") for _ in range(TRIES_PER_NAME)] == [401] * TRIES_PER_NAME
    assert log_in() == 429
    assert log_in(address="198.51.100.7") == 303


def test_answer_of_too_many_tries_says_how_long(client: FlaskClient, log_in: LogIn) -> None:
    for _ in range(TRIES_PER_NAME):
        log_in(password="wrong-wrong")
    form = {"name": "demo", "password": "x", "form_token": form_token(client.get("/login").text)}
    answer = client.post("/login", data=form, environ_base={"REMOTE_ADDR": "192.0.2.9"})
    assert 0 < int(answer.headers["Retry-After"]) <= 60
    assert "Too many tries" in answer.text


def test_new_password_ends_old_sessions(client: FlaskClient, log_in: LogIn, redis_client: RedisClient) -> None:
    log_in()
    add_user(redis_client, "demo", "another-one", ["demo"])
    assert client.get("/").status_code == 302


def test_cookie_signed_elsewhere_is_worth_nothing(app: Flask, client: FlaskClient, log_in: LogIn) -> None:
    log_in()
    app.config["SECRET_KEY"] = b"another"
    assert client.get("/").status_code == 302


def test_name_is_shown_as_text(client: FlaskClient) -> None:
    form = {"name": '"><script>', "password": "x", "form_token": form_token(client.get("/login").text)}
    assert "<script>" not in client.post("/login", data=form).text


@pytest.mark.parametrize(
    "evil", ["https://evil.test/", "//evil.test", "/\\evil.test", "\\\\evil", "javascript:x", "", "/\t/x"]
)
def test_log_in_leads_nowhere_else(evil: str) -> None:
    assert local_path(evil) == "/"


def test_log_in_leads_back_to_where_one_was() -> None:
    assert local_path("/sessions/s-1?site=demo") == "/sessions/s-1?site=demo"
