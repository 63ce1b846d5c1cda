"""`baliza report sessions`."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner, Result

from baliza.errors import BadRequest, NotFound
from baliza.settings import Settings
from baliza.sites import Site
from baliza.stores import History
from console.cli import report
from tests.support.rows import event_row, insert_events

pytestmark = [pytest.mark.redis, pytest.mark.clickhouse]


@pytest.fixture
def run(settings: Settings, demo_site: Site, history: History, monkeypatch: pytest.MonkeyPatch) -> "Run":
    """Two sessions of some minutes ago, one of them by phone from a source with markup in its name."""
    at = datetime.now(UTC) - timedelta(minutes=10)
    when = {"occurred_at": at, "session_opened_at": at}
    insert_events(
        history,
        [
            event_row(**when),
            event_row(**when, session_id="s-2", visitor_id="v-2", device="phone", source="[red]x[/red]\x1b[2J"),
        ],
    )
    monkeypatch.setenv("BALIZA_REDIS_URL", settings.redis_url)
    monkeypatch.setenv("BALIZA_CLICKHOUSE_URL", settings.clickhouse_url)
    monkeypatch.setenv("COLUMNS", "160")
    return Run()


class Run:
    def __call__(self, *arguments: str) -> Result:
        return CliRunner().invoke(report, ["sessions", "--site", "demo", *arguments])


def test_table_shows_sessions_and_totals(run: Run) -> None:
    shown = run().output
    assert "v-1" in shown
    assert "2 sessions · 0 with purchase (0 %)" in shown


def test_table_leaves_room_for_words_on_a_narrow_terminal(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for columns, device in (("80", False), ("160", True)):
        monkeypatch.setenv("COLUMNS", columns)
        heading = run().output.splitlines()[0]
        assert ("Device" in heading) is device
        assert {"Started", "Visitor", "Cart", "Outcome"} <= set(heading.split())


def test_table_obeys_nothing_that_a_browser_said(run: Run) -> None:
    shown = run("--device", "phone").output
    assert "[red]x[/red]?[2J" in shown
    assert "\x1b[2J" not in shown


def test_json_and_csv_are_for_programs(run: Run) -> None:
    body = json.loads(run("--format", "json", "--limit", "1").output)
    assert (len(body["sessions"]), body["summary"]["sessions"]) == (1, 2)
    assert body["next"]
    (row,) = csv.DictReader(io.StringIO(run("--format", "csv", "--device", "desktop").stdout))
    assert row["visitor_id"] == "v-1"


def test_options_filter(run: Run) -> None:
    assert "No session matches" in run("--purchased").output
    assert "2 sessions" in run("--not-purchased", "--not-abandoned", "--period", "30d").output


def test_says_when_there_is_more(run: Run) -> None:
    assert "There are more; raise --limit" in run("--limit", "1").output


def test_wrong_options_are_explained(run: Run) -> None:
    assert isinstance(run("--since", "x").exception, BadRequest)
    assert "limit: expected a whole number from 1 to 1000" in str(run("--limit", "0").exception)
    unknown = CliRunner().invoke(report, ["sessions", "--site", "nope"]).exception
    assert isinstance(unknown, NotFound)
    assert str(unknown) == "there is no site named 'nope'; expected one of: demo"


def test_help_has_an_example(run: Run) -> None:
    assert "baliza report sessions --site demo --period yesterday --abandoned" in run("--help").output
