"""Puts a live store's append-only log on the disk once a second, beside the store instead of in it.

With `appendfsync everysec` a store whose disk is slow answers first and writes its log up to two seconds later: killed in
between, it has lost what it answered. Told `appendfsync no` it always writes before it answers and lets others sync it.
"""

import logging
import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

__all__ = ["LogSync"]

log = logging.getLogger("baliza.live_store")
EVERY_S: Final = 1.0
to_disk = getattr(os, "fdatasync", os.fsync)  # macOS has the latter alone


class LogSync:
    """Syncs the files of a folder every second, in a thread, until stop(). A disk that refuses is told of once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stopping = threading.Event()
        self._failing = False
        self._thread = threading.Thread(target=self._run, name=f"log-sync {folder}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread. What a sync is doing right now may take as long as the disk does, and is not waited for."""
        self._stopping.set()

    def _run(self) -> None:
        while not self._stopping.wait(EVERY_S):
            self.sync()

    def sync(self) -> None:
        """Put all files on the disk; returns when they are there."""
        try:
            for file in self._folder.iterdir():
                with suppress(FileNotFoundError):  # written anew meanwhile
                    _sync_file(file)
        except FileNotFoundError:
            return  # the store has not begun to write
        except OSError as error:
            if not self._failing:
                log.error(
                    "the live store's log could not be put on the disk; a power cut may lose what it answered: %s", error
                )
            self._failing = True
        else:
            self._failing = False


def _sync_file(file: Path) -> None:
    opened = os.open(file, os.O_RDONLY)
    try:
        to_disk(opened)
    finally:
        os.close(opened)
