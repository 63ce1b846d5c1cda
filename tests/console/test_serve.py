"""The console with real connections, as the product starts it."""

import pytest

from baliza.settings import Settings
from baliza.sites import add_token
from baliza.stores import RedisClient
from console.serve import console_wsgi

pytestmark = [pytest.mark.redis, pytest.mark.clickhouse, pytest.mark.usefixtures("closing_stores")]


@pytest.mark.usefixtures("history", "demo_site")
def test_the_app_reads_both_stores(settings: Settings, redis_client: RedisClient) -> None:
    add_token(redis_client, "demo", "tok_demo")
    client = console_wsgi(settings).test_client()
    assert client.get("/ready").status_code == 200
    report = client.get("/v1/reports/sessions", headers={"Authorization": "Bearer tok_demo"})
    assert (report.status_code, report.get_json()["sessions"]) == (200, [])
