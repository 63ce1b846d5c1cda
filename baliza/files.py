"""Files for the owner's eyes only, and locks that end with the processes that hold them."""

import fcntl
import os
import time
from pathlib import Path
from typing import IO

__all__ = ["hold", "hold_together", "holder", "wait_until_free", "write_private"]


def write_private(file: Path, text: str) -> None:
    """Replace the file at once by one with mode 0600: nobody reads half of it, and nobody else reads it at all."""
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(text)
    draft.replace(file)


def hold(file: Path, content: str = "") -> IO[str] | None:
    """Lock the file for as long as the answer is open, here and in processes that inherit it. None: others hold it.

    `content` is written into it, for whoever finds it locked.
    """
    return _locked(file, fcntl.LOCK_EX, content)


def hold_together(file: Path) -> IO[str] | None:
    """As hold(), with others who do the same. None: somebody holds it alone."""
    return _locked(file, fcntl.LOCK_SH, None)


def _locked(file: Path, kind: int, content: str | None) -> IO[str] | None:
    opened = file.open("a+")
    try:
        fcntl.flock(opened, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        opened.close()
        return None
    if content is not None:
        opened.truncate(0)
        opened.write(content)
        opened.flush()
    return opened


def holder(file: Path) -> str:
    """What the holder of the lock wrote into it; "unknown" when that is nothing."""
    return (file.read_text().strip() if file.exists() else "") or "unknown"


def wait_until_free(file: Path, timeout_s: float) -> bool:
    """Wait until nobody holds the lock. False when somebody still does at the end. A missing file is free."""
    deadline = time.monotonic() + timeout_s
    while file.exists():
        with file.open("a+") as opened:
            try:
                fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    return False
            else:
                return True
        time.sleep(0.05)
    return True
