"""One thread of another process, held still while the rest of it goes on: how a disk feels that does not come back."""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import pytest

# linux/ptrace.h, linux/wait.h
SEIZE: Final = 0x4206
INTERRUPT: Final = 0x4207
WALL: Final = 0x40000000


@contextmanager
def held(process_id: int, name: str) -> Iterator[None]:
    """Hold the thread of that name; kill the process inside, by SIGKILL. Skips where nobody may trace processes."""
    threads = Path(f"/proc/{process_id}/task")
    if not threads.exists():
        pytest.skip("holding a thread needs Linux's /proc")
    (thread,) = [int(task.name) for task in threads.iterdir() if (task / "comm").read_text().strip() == name]
    _trace(SEIZE, thread)
    _trace(INTERRUPT, thread)
    os.waitpid(thread, WALL)
    yield
    with suppress(ChildProcessError):
        os.waitpid(thread, WALL)  # its end is told to who holds it, and before that the process does not end


def _trace(request: int, thread: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    nothing = ctypes.c_void_p(None)
    if libc.ptrace(request, thread, nothing, nothing) == -1:
        pytest.skip(
            f"ptrace is refused here ({os.strerror(ctypes.get_errno())}); run the test where processes may be traced"
        )
