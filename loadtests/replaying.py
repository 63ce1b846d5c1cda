"""How fast `baliza replay` sends a log: the command as people run it, against the public process."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

import msgspec

from demo.walks import Batch
from loadtests.client import LoadError
from loadtests.figures import Figure
from loadtests.payloads import SECRET
from loadtests.servers import Box

__all__ = ["PART", "log_lines", "measure"]

PART: Final = "replay"


def log_lines(visits: Sequence[Batch]) -> Iterator[bytes]:
    """The events of the visits in the order of their times, one JSON object a line, as `--format jsonl` reads them."""
    events = [{"visitor": batch.body["visitor"], **event} for batch in visits for event in _events(batch)]
    for event in sorted(events, key=lambda event: str(event["occurred_at"])):
        yield msgspec.json.encode(event) + b"\n"


def _events(batch: Batch) -> list[dict[str, Any]]:
    events = batch.body["events"]
    assert isinstance(events, list)
    return events


def measure(opened: Box, visits: Sequence[Batch], events: int, folder: Path, tell: Callable[[str], None]) -> list[Figure]:
    """Replay the first `events` events of the visits. Blocks. LoadError when one was not accepted."""
    tell(f"replay: {events:,} events")
    file = folder / "log.jsonl"
    file.write_bytes(b"".join(islice(log_lines(visits), events)))
    with opened.serving("public") as public:
        began = time.perf_counter()
        facts = _replay(file, public.url)
        whole_s = time.perf_counter() - began
    if facts["accepted"] != events:
        raise LoadError(f"expected {events} accepted events of the log, got {facts}")
    return [
        Figure(PART, "sent per second", events / facts["seconds"], "events/s", f"{events:,} events, 4 connections"),
        Figure(PART, "whole command", whole_s, "s", "start and the first reading of the log included"),
    ]


def _replay(file: Path, url: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "baliza.cli", "replay", str(file), "--format", "jsonl", "--url", url, "--json"]
    env = os.environ | {"BALIZA_SECRET_KEY": SECRET, "BALIZA_DATA_DIR": str(file.parent / "data")}
    done = subprocess.run(command, env=env, capture_output=True, timeout=300, check=False, cwd=file.parent)
    if done.returncode:
        raise LoadError(f"baliza replay ended with {done.returncode}: {done.stderr.decode()[-500:]}")
    facts: dict[str, Any] = msgspec.json.decode(done.stdout)
    return facts
