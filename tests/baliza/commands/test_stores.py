"""migrate and settings on the command line."""

import pytest
from click.testing import CliRunner
from clickhouse_driver import Client

from baliza.cli import cli
from baliza.commands.stores import without_password
from baliza.errors import StoreDown
from baliza.settings import Settings
from baliza.stores import RedisClient


@pytest.fixture(autouse=True)
def _environment(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BALIZA_DATA_DIR", str(settings.data_dir))


@pytest.mark.clickhouse
def test_migrates_a_history_given_by_its_url_alone(clickhouse_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"{clickhouse_url}_plain"
    monkeypatch.setenv("BALIZA_CLICKHOUSE_URL", url)
    first = CliRunner().invoke(cli, ["migrate"])
    assert first.exit_code == 0, first.output
    assert "applying 0001_create_events" in first.output
    assert "no live store is known (BALIZA_REDIS_URL is not set)" in first.output
    second = CliRunner().invoke(cli, ["migrate"])
    assert second.output.startswith("0 migrations applied; the history is up to date")
    client = Client.from_url(url)
    assert client.execute("SELECT count() FROM events") == [(0,)]
    client.execute(f"DROP DATABASE {url.rpartition('/')[2]}")
    client.disconnect()


@pytest.mark.clickhouse
@pytest.mark.redis
def test_migrates_both_stores(
    settings: Settings, valkey_url: str, redis_client: RedisClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    redis_client.function_flush()
    redis_client.flushall()
    monkeypatch.setenv("BALIZA_CLICKHOUSE_URL", settings.clickhouse_url)
    monkeypatch.setenv("BALIZA_REDIS_URL", valkey_url)
    done = CliRunner().invoke(cli, ["migrate"])
    assert done.output.endswith("the live store's function library is up to date\n")
    assert [library[1] for library in redis_client.function_list()] == [b"baliza_v1"]
    assert redis_client.hget("baliza:installed", "partitions") == b"64"


@pytest.mark.network
def test_a_history_that_is_away_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BALIZA_CLICKHOUSE_URL", "clickhouse://default@127.0.0.1:1/baliza")
    assert isinstance(CliRunner().invoke(cli, ["migrate"]).exception, StoreDown)


def test_settings_lists_all_and_hides_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BALIZA_REDIS_URL", "redis://:hunter2@store:6379/0")
    monkeypatch.setenv("BALIZA_CLICKHOUSE_URL", "clickhouse://u:hunter2@store:9000/baliza?password=hunter2")
    monkeypatch.setenv("BALIZA_PUBLIC_PORT", "9000")
    shown = CliRunner().invoke(cli, ["settings"]).output
    for name in Settings.__dataclass_fields__:
        assert f"BALIZA_{name.upper()}=" in shown
    assert "hunter2" not in shown
    assert "BALIZA_PUBLIC_PORT=9000\n    the public port" in shown
    assert "BALIZA_REDIS_URL=redis://:***@store:6379/0" in shown


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("", ""),
        ("https://events.shop.example", "https://events.shop.example"),
        ("redis://store:6379/0", "redis://store:6379/0"),
        ("redis://user:p@ss:w@store:6379/0", "redis://user:***@store:6379/0"),
        ("unix:///run/redis.sock?db=1&password=x", "unix:///run/redis.sock?db=1&password=***"),
        ("clickhouse://default@store/baliza", "clickhouse://default@store/baliza"),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert without_password(url) == shown
