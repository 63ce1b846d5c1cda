"""`baliza replay` as a command."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.support.far_end import Reply, far_end
from tests.tracker.test_replay import Shop
from tracker.cli import replay


def fresh_log(folder: Path, count: int = 40) -> Path:
    file = folder / "log.jsonl"
    began = datetime.now(UTC) - timedelta(hours=1)
    rows = (
        {"visitor": f"v-{number % 20}", "type": "page_view", "occurred_at": (began + timedelta(seconds=number)).isoformat()}
        for number in range(count)
    )
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def call(folder: Path, *args: object, **env: str) -> Result:
    env = {"BALIZA_DATA_DIR": str(folder / "data"), **env}
    return CliRunner(env=env).invoke(replay, [str(arg) for arg in args])


@pytest.mark.network
def test_shows_what_became_of_the_events(tmp_path: Path) -> None:
    with far_end(Shop()) as end:
        args = (fresh_log(tmp_path), "--format", "jsonl", "--url", end.url, "--key", "pk_demo")
        first, second = call(tmp_path, *args), call(tmp_path, *args)
    assert first.exit_code == 0, first.output
    rows = {
        line.strip("│ ").split("│")[0].strip(): line.strip("│ ").split("│")[-1].strip() for line in second.stdout.split("\n")
    }
    assert (rows["lines read"], rows["accepted"], rows["duplicate"], rows["rejected"]) == ("40", "0", "40", "0")


@pytest.mark.network
def test_json_is_for_machines(tmp_path: Path) -> None:
    with far_end() as end:
        result = call(
            tmp_path, fresh_log(tmp_path), "--format", "jsonl", "--url", end.url, "--json", BALIZA_SECRET_KEY="sk_demo"
        )
    facts = json.loads(result.stdout)
    assert facts["accepted"] == facts["events_sent"] == facts["lines_read"] == 40
    assert (facts["rejections"], facts["rejected_file"], facts["resumed_after"]) == ([], None, 0)
    assert end.requests[0].headers["authorization"] == "Bearer sk_demo"


@pytest.mark.network
def test_exit_code_tells_of_rejections(tmp_path: Path) -> None:
    file = fresh_log(tmp_path)
    file.write_text(file.read_text() + "oops\n")
    with far_end() as end:
        result = call(tmp_path, file, "--format", "jsonl", "--url", end.url, "--key", "pk_demo")
    assert result.exit_code == 1
    assert "line 41: line: expected JSON" in result.stdout
    [written] = (tmp_path / "data/replay").glob("*.rejected.txt")
    assert written.read_text().startswith("line 41: ")


@pytest.mark.network
def test_says_that_prices_are_made_up(tmp_path: Path) -> None:
    file = tmp_path / "events.csv"
    file.write_text("timestamp,visitorid,event,itemid\n1441852593,1,transaction,2\n")
    with far_end() as end:
        result = call(tmp_path, file, "--format", "retailrocket", "--url", end.url, "--secret-key", "sk_demo")
    assert "note: the log has no prices" in result.stdout


@pytest.mark.network
def test_refused_key_ends_it_with_the_collectors_words(tmp_path: Path) -> None:
    with far_end(lambda _body: Reply(401, {}, b'{"detail": "nobody has this key"}')) as end:
        result = call(tmp_path, fresh_log(tmp_path), "--format", "jsonl", "--url", end.url, "--key", "pk_x")
    assert result.exit_code == 1
    assert "Error: the collector answers 401 to POST /o: nobody has this key" in result.output
    assert "the same command goes on after 0 events" in result.output


@pytest.mark.network
def test_says_why_it_waits(tmp_path: Path) -> None:
    replies = [Reply(503, {"Retry-After": "0"})] * 5
    with far_end(lambda _body: replies.pop() if replies else Reply()) as end:
        result = call(tmp_path, fresh_log(tmp_path), "--format", "jsonl", "--url", end.url, "--key", "pk_demo")
    assert result.exit_code == 0
    assert result.stderr.count("trying again in 0 s: the collector answers 503") == 1


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--format", "jsonl"), "expected a key of the site: --secret-key sk_…"),
        (("--format", "jsonl", "--key", "pk", "--speed", "fast"), "expected `max` or a number above 0 (1 is real speed)"),
        (("--format", "jsonl", "--key", "pk", "--speed", "-1"), "expected `max` or a number above 0 (1 is real speed)"),
        (("--format", "jsonl", "--key", "pk", "--currency", "euro"), "expected an ISO 4217 code such as EUR"),
        (("--format", "xml", "--key", "pk"), "'xml' is not one of 'retailrocket', 'ga4-csv', 'jsonl'"),
    ],
)
def test_says_what_is_wrong_with_the_command(tmp_path: Path, args: tuple[str, ...], words: str) -> None:
    result = call(tmp_path, fresh_log(tmp_path), *args, BALIZA_SECRET_KEY="")
    assert result.exit_code == 2
    assert words in " ".join(result.output.split())


def test_says_when_the_format_is_wrong(tmp_path: Path) -> None:
    result = call(tmp_path, fresh_log(tmp_path), "--format", "retailrocket", "--key", "pk_demo")
    assert result.exit_code == 1
    assert "is not retailrocket: expected the columns timestamp" in result.output


def test_says_when_there_is_nothing_to_send(tmp_path: Path) -> None:
    file = tmp_path / "ga4.csv"
    file.write_text("event_timestamp,event_name,user_pseudo_id\n1763719200000000,scroll,v\n")
    result = call(tmp_path, file, "--format", "ga4-csv", "--key", "pk_demo")
    assert "nothing to send in 1 lines" in result.output


@contextmanager
def started(folder: Path, file: Path, url: str) -> "Iterator[subprocess.Popen[str]]":
    """The command as a process of its own."""
    command = [
        sys.executable,
        "-c",
        "from tracker.cli import replay; replay()",
        str(file),
        "--format",
        "jsonl",
        "--url",
        url,
    ]
    env = {**os.environ, "BALIZA_DATA_DIR": str(folder / "data"), "BALIZA_KEY": "pk_demo", "NO_COLOR": "1"}
    with subprocess.Popen(
        [*command, "--json"], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.kill()


class SlowShop(Shop):
    """Takes a little time for each request, tells when it has had enough of them, and dawdles until it may go on."""

    def __init__(self, enough: int) -> None:
        super().__init__()
        self.enough, self.had = enough, 0
        self.reached, self.goes_on = threading.Event(), threading.Event()

    def __call__(self, body: dict[str, Any]) -> Reply:
        self.had += 1
        if self.had >= self.enough:
            self.reached.set()
            self.goes_on.wait(0.5)
        time.sleep(0.02)
        return super().__call__(body)


@pytest.mark.network
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_killed_run_goes_on_where_it_was(tmp_path: Path, how: signal.Signals) -> None:
    file = fresh_log(tmp_path, 20_000)  # 400 requests, about 200 a second
    shop = SlowShop(enough=280)
    with far_end(shop) as end:
        with started(tmp_path, file, end.url) as killed:
            reached = shop.reached.wait(60)
            killed.send_signal(how)
            _, words = killed.communicate(timeout=50)
        shop.goes_on.set()
        assert reached, words
        first = len(shop.seen)
        with started(tmp_path, file, end.url) as again:
            out, notes = again.communicate(timeout=60)
    assert killed.returncode == (-how if how == signal.SIGKILL else 130), words
    assert again.returncode == 0, notes
    facts = json.loads(out)
    assert notes.strip() == f"going on after {facts['resumed_after']:,} events that are done with (--restart begins anew)"
    assert 0 < facts["resumed_after"] <= first < 20_000
    assert len(shop.seen) == facts["resumed_after"] + facts["events_sent"] == 20_000
    in_flight = 4 * 50  # what was on its way at the kill may have been taken after `first` was read
    assert 20_000 - first - in_flight <= facts["accepted"] <= 20_000 - first
