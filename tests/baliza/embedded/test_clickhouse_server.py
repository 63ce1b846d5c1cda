"""Accepting, watching, locking."""

import os
import socket
import threading
import time
from pathlib import Path

import pytest

from baliza.embedded.clickhouse_server import DataLock, Watcher
from baliza.errors import EngineError


def test_second_owner_of_a_directory_is_told_who_has_it(tmp_path: Path) -> None:
    lock = DataLock(tmp_path / "data")
    with pytest.raises(EngineError, match=f"in use by process {os.getpid()}; stop it or choose"):
        DataLock(tmp_path / "data")
    lock.release()
    DataLock(tmp_path / "data").release()


class Killed:
    """Notes which tags were killed, and lets a test wait for the first."""

    def __init__(self) -> None:
        self.tags: list[str] = []
        self.first = threading.Event()

    def __call__(self, tag: str) -> None:
        self.tags.append(tag)
        self.first.set()


def test_client_that_leaves_has_its_query_killed() -> None:
    killed = Killed()
    watcher = Watcher(killed)
    ours, theirs = socket.socketpair()
    with ours, watcher.watching(ours, "tag-1") as ended:
        assert not ended()
        theirs.close()
        assert killed.first.wait(5)
        assert ended()
    watcher.close()
    assert set(killed.tags) == {"tag-1"}


def test_kill_is_repeated_until_the_query_ends() -> None:
    killed = Killed()
    watcher = Watcher(killed)
    ours, theirs = socket.socketpair()
    with ours, theirs, watcher.watching(ours, "tag-1"):
        theirs.sendall(b"\x03")
        until = time.monotonic() + 5
        while len(killed.tags) < 3 and time.monotonic() < until:
            time.sleep(0.02)
    count = len(killed.tags)
    assert count >= 3
    time.sleep(0.5)
    watcher.close()
    assert len(killed.tags) == count


def test_client_that_sends_its_next_packet_early_is_left_alone() -> None:
    killed = Killed()
    watcher = Watcher(killed)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        with watcher.watching(ours, "tag-1") as ended:
            theirs.sendall(b"\x04")
            time.sleep(0.1)
            assert not ended()
        assert ours.recv(10) == b"\x04"
    watcher.close()
    assert killed.tags == []
