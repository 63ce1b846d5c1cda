"""Private files, and locks that end with their holders."""

import subprocess
import sys
import time
from pathlib import Path

from baliza.files import hold, hold_together, holder, wait_until_free, write_private

SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]


def test_a_private_file_is_the_owners_even_when_it_was_everybodys(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("old")
    file.chmod(0o644)
    write_private(file, "new")
    assert file.read_text() == "new"
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_one_holds_and_says_who(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    assert holder(file) == "unknown"
    first = hold(file, "4711")
    assert first is not None
    assert hold(file, "other") is None
    assert hold_together(file) is None
    assert holder(file) == "4711"
    first.close()
    second = hold(file)
    assert second is not None
    assert holder(file) == "unknown"
    second.close()


def test_several_hold_together_and_keep_one_alone_out(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    first, second = hold_together(file), hold_together(file)
    assert first is not None
    assert second is not None
    first.close()
    assert hold(file) is None
    assert not wait_until_free(file, 0.1)
    second.close()
    assert wait_until_free(file, 0)


def test_a_process_that_inherits_a_lock_holds_it_until_it_is_killed(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    lock = hold_together(file)
    assert lock is not None
    with lock:
        process = subprocess.Popen(SLEEPER, pass_fds=[lock.fileno()])
    assert not wait_until_free(file, 0)
    process.kill()
    assert wait_until_free(file, 5)
    process.wait()


def test_a_missing_file_is_free(tmp_path: Path) -> None:
    asked_at = time.monotonic()
    assert wait_until_free(tmp_path / "none", 5)
    assert time.monotonic() - asked_at < 1
