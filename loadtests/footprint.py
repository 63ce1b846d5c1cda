"""What is held: live store memory per visitor; memory, idle CPU and start-up time of the whole `baliza up`."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import httpx
import psutil

from baliza.embedded.valkey import free_port
from baliza.settings import ENV_PREFIX, Settings
from loadtests.client import send
from loadtests.collecting import accepted
from loadtests.figures import Figure
from loadtests.payloads import visit_of_ten
from loadtests.processes import MIB, anonymous_bytes, cpu_s, name_of, tree
from loadtests.servers import Box, box, wait_until

__all__ = ["PART", "PER_VISITOR", "WHOLE", "measure_up", "measure_visitors"]

PART: Final = "memory"
PER_VISITOR: Final = "Valkey, per live visitor"
WHOLE: Final = "whole `baliza up`, idle"
START_PART: Final = "start"


def measure_visitors(folder: Path, visitors: int, tell: Callable[[str], None]) -> list[Figure]:
    """Valkey's memory for each visitor with ten events and two products in the cart. Blocks."""
    tell(f"memory: {visitors:,} visitors with ten events each")
    now = datetime.now(UTC)
    with box(folder) as opened, opened.serving("tracker") as collector:
        send(collector.address, iter([visit_of_ten("first", now)]), 1, accepted).expect_all_good("the first visitor")
        opened.forget_streams()
        empty = _used(opened)
        sent = (visit_of_ten(f"visitor-{number:07d}", now) for number in range(visitors))
        send(collector.address, sent, 8, accepted).expect_all_good("visitors")
        waiting = _used(opened)
        opened.forget_streams()
        carried = _used(opened)
    note = f"{visitors:,} visitors, 10 events and a cart of 2 each; profile, dedupe set, cart list; streams carried"
    return [
        Figure(PART, PER_VISITOR, (carried - empty) / visitors, "bytes", note),
        Figure(PART, "Valkey, per event that waits for ingest", (waiting - carried) / (visitors * 10), "bytes"),
    ]


def _used(opened: Box) -> int:
    return int(opened.redis.info("memory")["used_memory"])


def measure_up(folder: Path, idle_s: float, tell: Callable[[str], None]) -> list[Figure]:
    """Start the product in an empty folder, and again in the same; let it idle and look at its processes. Blocks."""
    tell("start: baliza up in an empty folder")
    with _up(folder) as (_, first_s):
        pass
    tell(f"memory: baliza up, idle for {idle_s:.0f} s")
    with _up(folder) as (process, again_s):
        # What starting needed is no longer used after a while, and is not what an idle product costs.
        time.sleep(idle_s)
        before = cpu_s([process.pid])
        time.sleep(idle_s)
        idle_cpu = (cpu_s([process.pid]) - before) / idle_s
        figures = _memory_of(process.pid)
    return [
        Figure(START_PART, "baliza up until ready, empty folder", first_s, "s", "both ports answer"),
        Figure(START_PART, "baliza up until ready, again", again_s, "s"),
        Figure(START_PART, "idle CPU of all processes", idle_cpu * 100, "% of one core"),
        *figures,
    ]


@contextmanager
def _up(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], float]]:
    """`baliza up`, and the seconds until both of its ports answered."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = Settings(data_dir=folder / "data", public_port=free_port(), private_port=free_port())
    log = folder / "up.log"
    began = time.perf_counter()
    with log.open("ab") as output:
        command = [sys.executable, "-m", "baliza.cli", "up"]
        process = subprocess.Popen(command, stdout=output, stderr=output, env=_environment(settings), cwd=folder)
    try:
        private_url = f"http://{settings.private_host}:{settings.private_port}"
        for url in (f"{settings.base_url}/ready", f"{private_url}/health"):
            wait_until(lambda url=url: _answers(url), lambda: process.poll() is None, log)  # type: ignore[misc]
        yield process, time.perf_counter() - began
    finally:
        process.terminate()
        process.wait(90)


def _environment(settings: Settings) -> dict[str, str]:
    """Only what must be set: the rest is measured as it comes."""
    own = {name: value for name, value in os.environ.items() if not name.startswith((ENV_PREFIX, "PROMETHEUS_"))}
    chosen = ("data_dir", "public_port", "private_port")
    return own | {ENV_PREFIX + name.upper(): str(getattr(settings, name)) for name in chosen}


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def _memory_of(pid: int) -> list[Figure]:
    held: dict[str, list[int]] = {}
    for process in tree([pid]):
        try:
            held.setdefault(name_of(process.cmdline()), []).append(anonymous_bytes(process))
        except (psutil.NoSuchProcess, FileNotFoundError):
            continue
    figures = [
        Figure(PART, f"{name}, idle", sum(sizes) / MIB, "MiB", f"{len(sizes)} processes" if len(sizes) > 1 else "")
        for name, sizes in sorted(held.items())
    ]
    return [*figures, Figure(PART, WHOLE, sum(map(sum, held.values())) / MIB, "MiB", "anonymous memory")]
