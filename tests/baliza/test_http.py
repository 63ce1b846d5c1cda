"""HTTP manners on a small app of the test's own."""

import json
import logging
from typing import Any

import pytest
from flask import Flask, abort

from baliza import errors
from baliza.errors import BalizaError, StoreDown
from baliza.http import base_app, bearer, int_argument, json_answer, site_of_key, site_of_secret
from baliza.sites import Site, SiteRegistry, digest

REGISTRY = SiteRegistry.of([Site("lamps", "pk_lamps", digest("sk_lamps"), ("https://lamps.example",))])
KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, BalizaError)]


def app_with(view: Any, probes: Any = None) -> Flask:
    app = base_app("test", probes or {})
    app.add_url_rule("/try", "try", view, methods=["GET"])
    return app


def ask(view: Any, path: str = "/try", **options: Any) -> Any:
    return app_with(view).test_client().get(path, **options)


def raising(error: BaseException) -> Any:
    def view() -> None:
        raise error

    return view


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_of_ours_is_a_problem(kind: type[BalizaError]) -> None:
    more = {"retry_after_s": 7} if kind is errors.TooManyEvents else {}
    answer = ask(raising(kind("expected this, got that", **more)))
    assert answer.status_code == kind.status
    assert answer.mimetype == "application/problem+json"
    assert answer.json == {
        "type": "about:blank", "title": kind.title, "status": kind.status, "detail": "expected this, got that",
    }  # fmt: skip
    assert ("Retry-After" in answer.headers) == issubclass(kind, StoreDown | errors.TooManyEvents)
    assert ("WWW-Authenticate" in answer.headers) == issubclass(kind, errors.Unauthorized)


def test_errors_of_the_framework_are_problems() -> None:
    missing = ask(lambda: "", "/nowhere")
    assert (missing.status_code, missing.json["status"], missing.mimetype) == (404, 404, "application/problem+json")
    wrong = app_with(lambda: "").test_client().post("/try")
    assert (wrong.status_code, wrong.json["title"]) == (405, "Method Not Allowed")
    assert "GET" in wrong.headers["Allow"]
    assert ask(lambda: abort(413)).json["status"] == 413


def test_the_unforeseen_says_nothing_internal(caplog: pytest.LogCaptureFixture) -> None:
    answer = ask(raising(RuntimeError("password hunter2 at 10.0.0.5")))
    assert answer.status_code == 500
    assert answer.mimetype == "application/problem+json"
    assert answer.json["detail"] == "the log says more"
    assert b"hunter2" not in answer.data
    assert "unforeseen error at GET /try" in caplog.text
    assert "hunter2" in caplog.text


def test_health_asks_nobody_and_ready_asks_all() -> None:
    asked: list[str] = []
    client = base_app("test", {"a": lambda: asked.append("a") or "answers"}).test_client()
    assert client.get("/health").json == {"status": "alive"}
    assert asked == []
    ready = client.get("/ready")
    assert (ready.status_code, ready.json) == (200, {"ready": True, "a": "answers"})


def test_one_probe_that_fails_is_503_and_says_why() -> None:
    probes = {"live_store": lambda: "answers", "history": lambda: (_ for _ in ()).throw(StoreDown("it is away"))}
    answer = base_app("test", probes).test_client().get("/ready")
    assert answer.status_code == 503
    assert answer.json == {"ready": False, "live_store": "answers", "history": "not ready: it is away"}


def test_a_probe_that_breaks_is_503_without_internals(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> None:
        raise ValueError("hunter2")

    answer = base_app("test", {"history": broken}).test_client().get("/ready")
    assert answer.status_code == 503
    assert answer.json["history"] == "not ready: it could not be asked; the log says more"
    assert "hunter2" in caplog.text


@pytest.mark.parametrize(
    ("header", "key"),
    [("Bearer sk_1", "sk_1"), ("bearer sk_1", "sk_1"), ("BEARER   sk_1 ", "sk_1")],
)
def test_bearer_keys_are_read(header: str, key: str) -> None:
    assert ask(lambda: json_answer(bearer()), headers={"Authorization": header}).json == key


@pytest.mark.parametrize(
    ("headers", "came"),
    [({}, "got none"), ({"Authorization": "Bearer"}, "got none"), ({"Authorization": "Bearer   "}, "got none"),
     ({"Authorization": "Basic YTpi"}, "got the scheme 'Basic'")],
)  # fmt: skip
def test_a_missing_bearer_key_is_401(headers: dict[str, str], came: str) -> None:
    answer = ask(lambda: json_answer(bearer()), headers=headers)
    assert answer.status_code == 401
    assert answer.json["detail"].endswith(came)


@pytest.mark.parametrize("raw", ["0", "101", "-1", "1.5", "ten", "", "1e2", " 7", "٣", "9" * 5000])
def test_a_number_that_is_none_or_out_of_bounds_is_400(raw: str) -> None:
    answer = ask(lambda: json_answer(int_argument("limit", 20, 1, 100)), query_string={"limit": raw})
    assert answer.status_code == 400
    assert answer.json["detail"] == f"limit: expected a whole number from 1 to 100, got {raw[:50]!r}"


def test_a_number_is_read_or_its_default_taken() -> None:
    def view() -> Any:
        return json_answer(int_argument("limit", 20, 1, 100))

    assert ask(view, query_string={"limit": "100"}).json == 100
    assert ask(view, query_string={"limit": "007"}).json == 7
    assert ask(view).json == 20


def test_a_site_is_known_by_its_secret_key() -> None:
    def view() -> Any:
        return json_answer(site_of_secret(REGISTRY).name)

    assert ask(view, headers={"Authorization": "Bearer sk_lamps"}).json == "lamps"
    assert ask(view, headers={"Authorization": "Bearer pk_lamps"}).status_code == 401


@pytest.mark.parametrize(
    ("query", "headers", "status"),
    [
        ({"key": "pk_lamps"}, {"Origin": "https://lamps.example"}, 200),
        ({"key": "pk_lamps"}, {}, 200),
        ({"key": "pk_lamps"}, {"Origin": "https://evil.example"}, 403),
        ({"key": "sk_lamps"}, {}, 401),
        ({}, {"Authorization": "Bearer sk_lamps"}, 200),
        ({}, {}, 401),
    ],
)
def test_a_site_is_known_by_either_key(query: dict[str, str], headers: dict[str, str], status: int) -> None:
    answer = ask(lambda: json_answer(site_of_key(REGISTRY).name), query_string=query, headers=headers)
    assert answer.status_code == status


def test_the_openapi_document_and_the_metrics_are_served(caplog: pytest.LogCaptureFixture) -> None:
    client = base_app("test", {}).test_client()
    assert json.loads(client.get("/openapi.json").data)["openapi"].startswith("3.1")
    shown = client.get("/metrics")
    assert shown.mimetype == "text/plain"
    assert b"baliza_events_received" in shown.data
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
