"""A small disk of the test's own, that can be filled and emptied."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, mebibytes: int) -> Iterator[Path]:
    """A tmpfs in the folder. The test is skipped where it may not be mounted."""
    folder.mkdir(parents=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"a small disk needs the right to mount a tmpfs (root): {done.stderr.strip()}")
    try:
        yield folder
    finally:
        unmount(folder)


def unmount(folder: Path) -> None:
    """As soon as the last process has let go of it."""
    for _ in range(100):
        if subprocess.run(["umount", str(folder)], capture_output=True, check=False).returncode == 0:
            return
        time.sleep(0.05)
    raise AssertionError(f"{folder} is still in use")


def fill(disk: Path, leave: int = 0) -> Path:
    """A file that takes all there is but so many bytes (what is left, if called again); deleted, it gives the room back."""
    ballast = disk / "ballast"
    file = os.open(ballast, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    size = 1 << 20
    while size >= 4096 and shutil.disk_usage(disk).free > leave:
        try:
            os.write(file, b"x" * size)
        except OSError:
            size //= 2
    os.close(file)
    return ballast
