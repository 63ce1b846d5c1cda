"""What processes used: CPU seconds and anonymous memory of whole trees; and which cores may be used by whom."""

import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final

import psutil

__all__ = ["MIB", "anonymous_bytes", "cpu_s", "load_core", "name_of", "server_cores", "tree", "usable_cores"]

MIB: Final = 1 << 20
SMAPS_FIELD: Final = "Anonymous:"


def tree(pids: Iterable[int]) -> list[psutil.Process]:
    """These processes and all below them."""
    found: list[psutil.Process] = []
    for pid in pids:
        top = psutil.Process(pid)
        found += [top, *top.children(recursive=True)]
    return found


def cpu_s(pids: Iterable[int]) -> float:
    """User and system seconds so far of these processes and all below them, those that have ended included."""
    total = 0.0
    for process in tree(pids):
        try:
            times = process.cpu_times()
            ended = getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
            total += _own_cpu_s(process.pid, times.user + times.system) + ended
        except (psutil.NoSuchProcess, OSError):
            continue
    return total


def _own_cpu_s(pid: int, in_ticks: float) -> float:
    """Linux has a clock for each process that counts nanoseconds; elsewhere the time in ticks, mostly of 10 ms, must do."""
    return time.clock_gettime((~pid << 3) | 2) if sys.platform == "linux" else in_ticks


def anonymous_bytes(process: psutil.Process) -> int:
    """Memory that belongs to nobody's file; where the system does not tell (only Linux does), resident memory."""
    rollup = Path(f"/proc/{process.pid}/smaps_rollup")
    if not rollup.exists():
        return int(process.memory_info().rss)
    line = next(line for line in rollup.read_text().splitlines() if line.startswith(SMAPS_FIELD))
    return int(line.split()[1]) * 1024


def name_of(command: list[str]) -> str:
    """What a process of `baliza up` is, by its command line: the service, an engine, or the supervisor."""
    words = [Path(word).name for word in command]
    if "serve" in words:
        return words[words.index("serve") + 1]
    if any("valkey-server" in word or "redis-server" in word for word in words):
        return "valkey"
    if any("embedded.clickhouse" in word for word in words):
        return "clickhouse"
    return "supervisor" if words[-1:] == ["up"] else " ".join(words)[:40]


def usable_cores() -> list[int]:
    """The numbers of the cores that this process may use; empty where cores cannot be chosen."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


@contextmanager
def _on(cores: list[int]) -> Iterator[None]:
    before = usable_cores()
    if not cores:
        yield
        return
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def load_core() -> AbstractContextManager[None]:
    """Meanwhile this process (the load) keeps to the first core."""
    return _on(usable_cores()[:1])


def server_cores() -> AbstractContextManager[None]:
    """Processes started meanwhile keep to the other cores, so that load and servers do not take turns."""
    return _on(usable_cores()[1:])
