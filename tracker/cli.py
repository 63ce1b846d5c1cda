"""The tracker's part of the command line: `baliza replay`."""

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from baliza.errors import BalizaError
from baliza.settings import load_settings
from schema.currencies import CURRENCIES
from tracker.replay import Ledger, Options, Plan, plan
from tracker.replay import replay as run_replay
from tracker.replay_formats import FORMATS, instant
from tracker.replay_log import Log
from tracker.replay_state import state_name

__all__ = ["replay"]

STOPPED_BY_USER = 130


class Speed(click.ParamType[float | None]):
    """`max`, or how many times faster than it really was."""

    name = "N|max"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float | None:
        if value is None or value == "max":
            return None
        try:
            speed = float(value)
        except ValueError:
            speed = 0.0
        if not 0 < speed < float("inf"):
            self.fail(f"expected `max` or a number above 0 (1 is real speed), got {value!r}", param, ctx)
        return speed


class Currency(click.ParamType[str]):
    """An ISO 4217 code."""

    name = "CODE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value not in CURRENCIES:
            self.fail(f"expected an ISO 4217 code such as EUR, got {value!r}", param, ctx)
        return str(value)


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--format", "format_name", type=click.Choice(list(FORMATS)), required=True, help="What the log is.")
@click.option("--url", default="http://127.0.0.1:8000", show_default=True, help="The public port of baliza.")
@click.option("--secret-key", envvar="BALIZA_SECRET_KEY", help="sk_… of the site, needed for events older than 72 h.")
@click.option("--key", envvar="BALIZA_KEY", help="pk_… of the site, enough for fresh events.")
@click.option("--speed", type=Speed(), default="max", show_default=True, help="1: as it was, 60: a minute in a second, max.")
@click.option("--shift-to-now", is_flag=True, help="Move all times so that the last event happens now.")
@click.option(
    "--currency", type=Currency(), default="EUR", show_default=True, help="Currency of prices that come without one."
)
@click.option("--threads", type=click.IntRange(1, 64), default=4, show_default=True, help="Connections.")
@click.option("--give-up-after", type=click.FloatRange(1), default=300.0, show_default=True, help="Seconds to go on trying.")
@click.option("--state", type=click.Path(dir_okay=False, path_type=Path), help="Where to keep how far it came.")
@click.option("--restart", is_flag=True, help="Begin anew, whatever the state says.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def replay(
    file: Path, format_name: str, secret_key: str | None, key: str | None, state: Path | None, as_json: bool, **rest: Any
) -> None:
    """Send a log of real shoppers through the public door, as if they came again.

    Stopped or killed, the same command goes on where it was. Sent twice, all events are duplicates and nothing changes.

    \b
    Example:
      BALIZA_SECRET_KEY=sk_demo baliza replay events.csv.gz --format retailrocket --shift-to-now
    """
    if not (secret_key or key):
        raise click.UsageError("expected a key of the site: --secret-key sk_… (or BALIZA_SECRET_KEY), or --key pk_…")
    try:
        options = _options(file, format_name, secret_key, key, state, **rest)
        rejected = _run(options, as_json)
    except BalizaError as error:
        raise click.ClickException(str(error)) from error
    sys.exit(1 if rejected else 0)


def _options(
    file: Path,
    format_name: str,
    secret_key: str | None,
    key: str | None,
    state: Path | None,
    *,
    url: str,
    speed: float | None,
    shift_to_now: bool,
    currency: str,
    threads: int,
    give_up_after: float,
    restart: bool,
) -> Options:
    settings = load_settings()
    name = state_name(file, format_name, url, secret_key or key or "")
    return Options(
        Log(file, format_name, currency),
        url,
        key,
        secret_key,
        state or settings.data_dir / "replay" / f"{name}.json",
        threads=threads,
        speed=speed,
        shift_to_now=shift_to_now,
        restart=restart,
        give_up_after_s=give_up_after,
        late_max_s=settings.late_max_s,
    )


def _run(options: Options, as_json: bool) -> int:
    """Replay and show what became of it. Answers how many lines were rejected."""
    notes = Console(stderr=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it would tell of every request
    with notes.status(f"reading {options.log.file}"):
        todo = plan(options, datetime.now(UTC))
    if not todo.survey.rows:
        raise click.ClickException(f"{options.log.file}: nothing to send in {todo.survey.lines} lines")
    if todo.state.events_done:
        notes.print(f"going on after {todo.state.events_done:,} events that are done with (--restart begins anew)")
    began = time.monotonic()
    with _shown(notes, todo) as on_change:
        ledger = Ledger(options, todo, on_change=on_change)
        try:
            run_replay(options, todo, ledger)
        except (BalizaError, KeyboardInterrupt) as error:
            notes.print(f"stopped; the same command goes on after {ledger.state.events_done:,} events")
            if isinstance(error, KeyboardInterrupt):
                sys.exit(STOPPED_BY_USER)
            raise
    facts = summary(options, todo, ledger, time.monotonic() - began)
    if as_json:
        click.echo(msgspec.json.encode(facts))
    else:
        _print_summary(facts)
    return ledger.numbers["rejected"]


class Rate(ProgressColumn):
    """Events per second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed or 0:,.0f} events/s")


@contextmanager
def _shown(notes: Console, todo: Plan) -> Iterator[Callable[[Ledger], None]]:
    """A progress bar where there is a terminal; elsewhere one line when the collector first makes us wait."""
    if not notes.is_terminal:
        said: list[str] = []

        def say_first_wait(ledger: Ledger) -> None:
            if ledger.waiting and not said:
                said.append(ledger.waiting)
                notes.print(ledger.waiting)

        yield say_first_wait
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn())
    with Progress(*columns, console=notes) as bar:
        task = bar.add_task("replay", total=todo.survey.rows, completed=todo.state.events_done)

        def move(ledger: Ledger) -> None:
            bar.update(task, completed=todo.state.events_done + ledger.sent, description=ledger.waiting or "replay")

        yield move


def summary(options: Options, todo: Plan, ledger: Ledger, seconds: float) -> dict[str, Any]:
    """The result for machines; the table shows the same."""
    shift_us = todo.state.shift_us or 0
    return {
        "file": str(options.log.file),
        "format": options.log.format,
        "lines_read": todo.survey.lines,
        "left_out": dict(todo.survey.left_out.most_common()),
        "resumed_after": todo.state.events_done,
        "events_sent": ledger.sent,
        "accepted": ledger.numbers["accepted"],
        "duplicate": ledger.numbers["duplicate"],
        "dropped_by_consent": ledger.numbers["consent"],
        "dropped_as_bot": ledger.numbers["bot"],
        "rejected": ledger.numbers["rejected"],
        "rejections": [{"line": each.line, "reason": each.reason} for each in ledger.rejections],
        "rejected_file": str(options.rejected_file) if ledger.numbers["rejected"] else None,
        "first_event": instant(todo.survey.first_at + shift_us),
        "last_event": instant(todo.survey.last_at + shift_us),
        "seconds": round(seconds, 2),
        "events_per_s": round(ledger.sent / seconds) if seconds else 0,
    }


COUNTS = ("lines_read", "events_sent", "accepted", "duplicate", "dropped_by_consent", "dropped_as_bot", "rejected")
MADE_UP = {
    "retailrocket": "the log has no prices: each item got one made of its id; lines of one visitor and second "
    "(or transaction id) are one order"
}


def _print_summary(facts: dict[str, Any]) -> None:
    table = Table(show_header=False, title=f"{Path(facts['file']).name}, {facts['format']}", title_justify="left")
    table.add_column()
    table.add_column(justify="right")
    for name in COUNTS:
        table.add_row(name.replace("_", " "), f"{facts[name]:,}")
    for reason, count in facts["left_out"].items():
        table.add_row(f"left out: {reason}", f"{count:,}")
    table.add_row("seconds", f"{facts['seconds']:,.1f}")
    table.add_row("events/s", f"{facts['events_per_s']:,}")
    out = Console()
    out.print(table)
    for each in facts["rejections"]:
        out.print(f"line {each['line']}: {each['reason']}", markup=False)
    if facts["rejected_file"]:
        out.print(f"all of them: {facts['rejected_file']}", markup=False)
    if note := MADE_UP.get(facts["format"]):
        out.print(f"note: {note}", markup=False)
