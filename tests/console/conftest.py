"""A console on real engines at a fixed time, and a browser-like client that can log in."""

import re
from collections.abc import Callable

import msgspec
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.security import generate_password_hash

from baliza.settings import Settings
from baliza.sites import Site, User, add_site, add_token, load_sites
from baliza.stores import History, RedisClient
from console.app import create_app
from schema import keys
from tests.support.rows import NOON

TOKEN = {"Authorization": "Bearer tok_demo"}


def form_token(page: str) -> str:
    """The token that a page's form carries."""
    found = re.search(r'name="form_token" value="([^"]+)"', page)
    assert found, "the page has no form token"
    return found[1]


@pytest.fixture(scope="session")
def known_user() -> bytes:
    """The user demo as it is stored; a password takes its time to be hashed."""
    return msgspec.json.encode(User("demo", generate_password_hash("demo-demo"), ("demo",)))


@pytest.fixture
def app(settings: Settings, redis_client: RedisClient, history: History, demo_site: Site, known_user: bytes) -> Flask:
    """Sites demo and other, user demo who may see demo only, report tokens tok_demo and tok_other."""
    add_site(redis_client, "other", ["http://other.test"], publishable_key="pk_other", timezone="Europe/Madrid")
    redis_client.hset(keys.USERS, "demo", known_user)
    add_token(redis_client, "demo", "tok_demo")
    add_token(redis_client, "other", "tok_other")
    return create_app(settings, redis_client, history, lambda: load_sites(redis_client), lambda: NOON)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def log_in(client: FlaskClient) -> Callable[..., int]:
    """Sends the log-in form as a browser would; answers the status."""

    def send(name: str = "demo", password: str = "demo-demo", address: str = "192.0.2.7") -> int:
        token = form_token(client.get("/login").text)
        form = {"name": name, "password": password, "form_token": token}
        return client.post("/login", data=form, environ_base={"REMOTE_ADDR": address}).status_code

    return send
