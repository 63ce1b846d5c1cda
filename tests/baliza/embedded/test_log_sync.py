"""What the embedded live store answered outlives its death on any disk, and is on the disk a second later."""

import logging
import os
import signal
import threading
from pathlib import Path

import pytest
from redis import Redis

from baliza.embedded import log_sync
from baliza.embedded.log_sync import LogSync
from baliza.embedded.valkey import EmbeddedValkey
from tests.support.held_threads import held
from tests.support.waiting import wait_for


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were put on the disk."""
    files: list[Path] = []
    monkeypatch.setattr(log_sync, "to_disk", lambda file: files.append(Path(f"/proc/self/fd/{file}").readlink()))
    return files


@pytest.mark.redis
@pytest.mark.parametrize(("policy", "kept"), [("no", 50), ("everysec", 0)])
def test_a_killed_store_has_what_it_answered_while_its_disk_hung(tmp_path: Path, policy: str, kept: int) -> None:
    """`everysec` is no policy of ours: that it loses everything here shows that the disk did hang."""
    server = EmbeddedValkey(tmp_path, options={"appendfsync": policy})
    server.start()
    assert server.process is not None
    with Redis.from_url(server.url) as client:
        with held(server.process.pid, "bio_aof"):
            if policy == "everysec":
                wait_for(lambda: client.set("before", 1) and client.info("persistence")["aof_pending_bio_fsync"], 5.0)
            for number in range(50):
                client.set(f"key-{number}", number)
            os.kill(server.process.pid, signal.SIGKILL)
        server.kill()
        server.start()
        assert len(client.keys("key-*")) == kept
    server.stop()


@pytest.mark.redis
def test_what_is_answered_is_on_the_disk_soon(tmp_path: Path, synced: list[Path]) -> None:
    log = tmp_path / "appendonlydir" / "appendonly.aof.1.incr.aof"
    server = EmbeddedValkey(tmp_path)
    server.start()
    wait_for(lambda: log in synced, 5.0)
    server.kill()
    server.start()
    synced.clear()
    wait_for(lambda: log in synced, 5.0)
    assert len(at_work(tmp_path)) == 1
    server.stop()
    wait_for(lambda: not at_work(tmp_path), 5.0)


@pytest.mark.redis
def test_a_store_that_syncs_by_itself_is_left_alone(tmp_path: Path) -> None:
    server = EmbeddedValkey(tmp_path, options={"appendfsync": "always"})
    server.start()
    assert not at_work(tmp_path)
    server.stop()


def test_a_disk_that_refuses_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "log.aof").write_text("x")
    answers: list[OSError | None] = [
        OSError(5, "Input/output error"),
        OSError(5, "Input/output error"),
        None,
        OSError(28, "full"),
    ]

    def to_disk(_file: int) -> None:
        if error := answers.pop(0):
            raise error

    monkeypatch.setattr(log_sync, "to_disk", to_disk)
    syncing = LogSync(tmp_path)
    syncing.stop()
    with caplog.at_level(logging.ERROR):
        for told in (1, 1, 1, 2):
            syncing.sync()
            assert len(caplog.messages) == told
    assert caplog.messages[0].startswith("the live store's log could not be put on the disk;")
    assert caplog.messages[0].endswith(": [Errno 5] Input/output error")


def test_a_folder_that_is_not_there_yet_is_no_error(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    syncing = LogSync(tmp_path / "later")
    syncing.sync()
    syncing.stop()
    assert caplog.messages == []


def at_work(store: Path) -> list[str]:
    """The threads that sync this store's log; other stores of the run have theirs."""
    return [one.name for one in threading.enumerate() if one.name == f"log-sync {store / 'appendonlydir'}"]
