"""`baliza readiness`."""

import json
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from baliza.errors import NotFound
from baliza.readiness.files import save
from baliza.settings import Settings
from baliza.sites import add_site
from baliza.stores import History, RedisClient
from personalizer.readiness.cli import readiness
from tests.baliza.readiness.test_model import file
from tests.personalizer.readiness.shoppers import DAY_MS, keep, visits

pytestmark = [pytest.mark.redis, pytest.mark.clickhouse, pytest.mark.usefixtures("closing_stores", "demo_site")]
NOW_MS = int(datetime.now(UTC).timestamp() * 1000)


@pytest.fixture(autouse=True)
def _environment(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("data_dir", "redis_url", "clickhouse_url", "partitions"):
        monkeypatch.setenv(f"BALIZA_{name.upper()}", str(getattr(settings, name)))


def run(*arguments: str) -> Result:
    return CliRunner().invoke(readiness, list(arguments), env={"COLUMNS": "150"})


def test_tells_how_well_it_comes_true_and_draws_it(history: History, settings: Settings, tmp_path: Path) -> None:
    keep(history, visits(850, days=20, wanting=0.6, since_ms=NOW_MS - 25 * DAY_MS))
    picture = tmp_path / "reliability.svg"
    said = run("--site", "demo", "--plot", str(picture))
    assert said.exit_code == 0, said.output
    for words in (
        "told by rules: nothing was learned yet",
        "850 sessions",
        "model (",
        "By readiness",
        "By purpose",
        "browse",
    ):
        assert words in said.output
    assert picture.read_text().startswith("<svg")
    save(settings.model_dir, file(site="demo"))
    found = json.loads(run("--json").stdout)
    assert found["in_use"]["basis"] == "model"
    assert 0.5 < found["rules"]["auc"] < found["model"]["auc"] < 1
    assert found["auc_gain"][0] < found["model"]["auc"] - found["rules"]["auc"] < found["auc_gain"][1]
    assert sum(each["share"] for each in found["purposes"].values()) == pytest.approx(1)
    assert found["purposes"]["buy"]["bought"] > found["purposes"]["browse"]["bought"]


def test_says_when_there_is_too_little(history: History) -> None:
    keep(history, visits(20, since_ms=NOW_MS - 25 * DAY_MS))
    said = run()
    assert "20 sessions" in said.output
    assert "too few orders" in said.output


def test_asks_which_site_and_knows_no_other(redis_client: RedisClient) -> None:
    add_site(redis_client, "second", ["http://second.test"])
    said = run()
    assert (said.exit_code, "say with --site which of these: demo, second" in said.output) == (2, True)
    assert isinstance(run("--site", "third").exception, NotFound)
    assert isinstance(readiness, click.Command)
