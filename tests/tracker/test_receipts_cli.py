"""`baliza receipts`: for people, for machines, and as an alarm."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from baliza.cli import cli
from baliza.settings import Settings
from baliza.stores import History
from tests.support.collecting import START, Shop, event
from tests.support.rows import event_row, insert_events
from tests.tracker.test_receipts import HOUR, tell
from tracker.receipts_cli import _window, receipts

both = pytest.mark.usefixtures("closing_stores")
SINCE = ("--since", "2026-11-21T08:00", "--hours", "4")


def run(settings: Settings, *args: str) -> Result:
    env = {
        "BALIZA_REDIS_URL": settings.redis_url, "BALIZA_CLICKHOUSE_URL": settings.clickhouse_url,
        "BALIZA_PARTITIONS": "8", "NO_COLOR": "1", "TERM": "dumb",
    }  # fmt: skip
    return CliRunner(env=env).invoke(receipts, args)


def test_the_window_is_the_last_day_or_what_was_said() -> None:
    now = datetime(2026, 11, 21, 12, 30, tzinfo=UTC)
    assert _window(None, None, now) == (now - timedelta(hours=23), now)
    assert _window(None, 1, now) == (now, now)
    assert _window(HOUR, 2, now) == (HOUR, HOUR + timedelta(hours=1))
    assert _window(HOUR, 9, now) == (HOUR, now)
    assert _window(HOUR, None, now) == (HOUR, now)


@both
@pytest.mark.redis
@pytest.mark.clickhouse
def test_shows_hours_and_totals(settings: Settings, shop: Shop, history: History) -> None:
    tell(history, 4, HOUR - timedelta(hours=1))
    insert_events(history, [event_row(received_at=HOUR - timedelta(minutes=1)) for _ in range(4)])
    shop.send(event(), event(colour="red"))
    result = run(settings, *SINCE)
    assert result.exit_code == 0, result.output
    rows = [line.split() for line in result.output.splitlines() if "demo" in line]
    cells = [[cell for cell in row if cell != "│"] for row in rows]
    assert cells[0] == ["2026-11-21", "09:00", "demo", "10", "4", "0", "1", "2", "3", "0", "0"]
    assert cells[1] == ["2026-11-21", "10:00", "demo", "2", "0", "0", "0", "0", "1", "1", "0"]
    assert cells[2] == ["total", "demo", "12", "4", "0", "1", "2", "4", "1", "0"]
    assert "1 requests wait for the history" in result.output
    assert "DOES NOT HOLD" not in result.output


@both
@pytest.mark.redis
@pytest.mark.clickhouse
def test_check_is_silent_while_the_sum_holds_and_fails_when_it_does_not(
    settings: Settings, shop: Shop, history: History
) -> None:
    shop.send(event())
    result = run(settings, *SINCE, "--check")
    assert (result.exit_code, result.output) == (0, "")
    tell(history, 2)
    insert_events(history, [event_row(received_at=START)])
    result = run(settings, *SINCE, "--check")
    assert result.exit_code == 1
    assert "+1" in result.output
    assert "THE SUM DOES NOT HOLD" in result.output
    assert run(settings, *SINCE).exit_code == 0


@both
@pytest.mark.redis
@pytest.mark.clickhouse
@pytest.mark.usefixtures("history")
def test_json_is_for_machines(settings: Settings, shop: Shop) -> None:
    shop.send(event())
    result = run(settings, *SINCE, "--json")
    assert result.exit_code == 0, repr(result.exception)
    found = json.loads(result.output)
    assert (found["sound"], found["settled"], found["waiting_entries"], found["set_aside_entries"]) == (True, True, 1, 0)
    (line,) = found["receipts"]
    assert (line["site"], line["hour"], line["waiting"]) == ("demo", "2026-11-21T10:00:00Z", 1)


@both
@pytest.mark.redis
@pytest.mark.clickhouse
@pytest.mark.usefixtures("redis_client", "history")
def test_says_when_nothing_came_in(settings: Settings) -> None:
    assert run(settings, "--site", "nobody").output == "nothing came in\n"


def test_is_a_command_of_baliza(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["receipts", "--help"])
    assert result.exit_code == 0
    assert "What became of every event that came in" in result.output
    assert not list(tmp_path.iterdir())
