from datetime import UTC, datetime, timedelta

import click
import pytest
from click.testing import CliRunner

from baliza.since import Since, since_of

START = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("90m", START - timedelta(minutes=90)),
        ("7d", START - timedelta(days=7)),
        ("2026-11-20", START.replace(day=20, hour=0)),
        ("2026-11-20T12:00+01:00", START.replace(day=20, hour=11)),
        ("7w", None),
        ("", None),
    ],
)
def test_since_is_a_time_or_how_long_ago(said: str, found: datetime | None) -> None:
    assert since_of(said, START) == found


@click.command()
@click.option("--since", type=Since())
def ask(since: datetime) -> None:
    click.echo(since.isoformat())


def test_a_command_says_what_it_expected() -> None:
    assert CliRunner().invoke(ask, ["--since", "2026-11-20"]).output == "2026-11-20T00:00:00+00:00\n"
    refused = CliRunner().invoke(ask, ["--since", "yesterday"])
    assert refused.exit_code == 2
    assert "expected a time in UTC (2026-11-21T10:00) or how long ago (90m, 12h, 7d), got 'yesterday'" in refused.output
