"""The console with real connections, as the product starts it."""

import socket
from dataclasses import replace

import pytest

from baliza.settings import Settings
from baliza.sites import add_token
from baliza.stores import RedisClient
from console.serve import console_wsgi

pytestmark = [pytest.mark.redis, pytest.mark.clickhouse, pytest.mark.usefixtures("closing_stores")]


def test_a_history_that_hangs_is_told_by_ready(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.serve.READY_TIMEOUT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"clickhouse://u:p@127.0.0.1:{silent.getsockname()[1]}/baliza"
        hanging = replace(settings, clickhouse_url=url)
        answer = console_wsgi(hanging).test_client().get("/ready")
    assert (answer.status_code, answer.get_json()["live_store"]) == (503, "answers")
    assert "the history does not answer" in answer.get_json()["history"]


@pytest.mark.usefixtures("history", "demo_site")
def test_the_app_reads_both_stores(settings: Settings, redis_client: RedisClient) -> None:
    add_token(redis_client, "demo", "tok_demo")
    client = console_wsgi(settings).test_client()
    assert client.get("/ready").status_code == 200
    report = client.get("/v1/reports/sessions", headers={"Authorization": "Bearer tok_demo"})
    assert (report.status_code, report.get_json()["sessions"]) == (200, [])
