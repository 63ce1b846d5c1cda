"""`baliza train` on real engines."""

from datetime import UTC, datetime

import pytest
from click.testing import CliRunner

from baliza.errors import NotFound
from baliza.settings import Settings
from baliza.sites import Site, add_site
from baliza.stores import History, RedisClient
from personalizer.learning.cli import train
from personalizer.models.store import ModelStore
from tests.personalizer.planted import planted_history
from tests.support.rows import insert_events

pytestmark = [pytest.mark.redis, pytest.mark.clickhouse]


@pytest.fixture
def environment(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name in ("data_dir", "redis_url", "clickhouse_url"):
        monkeypatch.setenv(f"BALIZA_{name.upper()}", str(getattr(settings, name)))
    return settings


def test_trains_all_sites(environment: Settings, history: History, redis_client: RedisClient, demo_site: Site) -> None:
    add_site(redis_client, "empty", [])
    insert_events(history, planted_history(datetime.now(UTC)))
    answer = CliRunner().invoke(train, [])
    assert answer.exit_code == 0, answer.output
    assert "6 items" in answer.output
    assert "empty: no model, because the last 90 days hold no event with items" in answer.output
    assert ModelStore(environment.model_dir).load("demo") is not None


def test_an_unknown_site_is_told(environment: Settings, history: History, demo_site: Site) -> None:
    answer = CliRunner().invoke(train, ["--site", "nowhere"])
    assert isinstance(answer.exception, NotFound)
    assert "`baliza site list`" in str(answer.exception)
