"""A log of shoppers goes in over HTTP by the command line, and the history holds exactly what was accepted, once."""

import gzip
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from baliza.lease import Lease
from baliza.settings import Settings
from baliza.stores import History
from demo.walks import history as past_visits
from tests.support.collecting import START
from tests.support.collector import PARTITIONS, RunningCollector
from tests.support.real_log import real_log
from tracker.ingest import Ingest

pytestmark = [pytest.mark.redis, pytest.mark.clickhouse, pytest.mark.network]

SLICE_LINES = 4000
SESSIONS = "SELECT count(), sum(n) FROM (SELECT sum(events) AS n FROM sessions GROUP BY site, opened_at, session_id)"


@pytest.fixture
def fresh_collector(tmp_path: Path) -> Iterator[RunningCollector]:
    running = RunningCollector(tmp_path)
    try:
        running.wait_until_ready()
        yield running
    finally:
        running.close()


def real_slice(folder: Path) -> tuple[Path, str]:
    file = folder / "events.csv"
    with gzip.open(real_log(), "rt") as lines:
        file.write_text("".join(islice(lines, SLICE_LINES + 1)))
    return file, "retailrocket"


def simulated(folder: Path) -> tuple[Path, str]:
    file = folder / "visits.jsonl"
    with file.open("w") as out:
        for batch in past_visits(7, 150, random.Random(5), START):
            events: Any = batch.body["events"]
            for event in events:
                print(json.dumps({"visitor": batch.body["visitor"], **event}), file=out)
    return file, "jsonl"


def replay(file: Path, kind: str, collector: RunningCollector) -> dict[str, Any]:
    """`baliza replay` as a user calls it; its summary."""
    command = [sys.executable, "-m", "baliza.cli", "replay", str(file), "--format", kind, "--url", collector.url, "--json"]
    env = os.environ | {"BALIZA_SECRET_KEY": "sk_demo", "BALIZA_DATA_DIR": str(file.parent / "data")}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    summary: dict[str, Any] = json.loads(done.stdout)
    return summary


def carry_all(collector: RunningCollector, history: History) -> None:
    settings = Settings(partitions=PARTITIONS)
    lease = Lease(collector.redis, "ingest-0", "test", time.monotonic)
    ingest = Ingest(settings, collector.redis, history, lease, "test", lambda: int(time.time() * 1000))
    while ingest.step():
        pass


def in_history(history: History) -> dict[str, tuple[int, int]]:
    """Type → (rows, different event ids)."""
    rows = history.rows("SELECT type, count(), uniqExact(visitor_id, event_id) FROM events GROUP BY type")
    return {kind: (count, unique) for kind, count, unique in rows}


@pytest.mark.timeout(180)
@pytest.mark.parametrize("log", [simulated, real_slice], ids=["simulated", "real"])
def test_history_holds_what_was_accepted_and_a_second_replay_changes_nothing(
    log: Callable[[Path], tuple[Path, str]], tmp_path: Path, fresh_collector: RunningCollector, history: History
) -> None:
    file, kind = log(tmp_path)
    first = replay(file, kind, fresh_collector)
    carry_all(fresh_collector, history)
    found = in_history(history)
    assert first["rejected"] == 0
    assert sum(count for count, _ in found.values()) == first["accepted"] > 1000
    assert all(count == unique for count, unique in found.values())
    if kind == "retailrocket":
        names = {"view": "view_item", "addtocart": "add_to_cart"}
        told = Counter(names.get(line.split(",")[2], "") for line in file.read_text().splitlines()[1:])
        assert {name: found[name][0] for name in names.values()} == {name: told[name] for name in names.values()}
    sessions = history.rows(SESSIONS)
    assert sessions[0][1] == first["accepted"]

    second = replay(file, kind, fresh_collector)
    carry_all(fresh_collector, history)
    assert (second["accepted"], second["duplicate"]) == (0, first["accepted"])
    assert in_history(history) == found
    assert history.rows(SESSIONS) == sessions
