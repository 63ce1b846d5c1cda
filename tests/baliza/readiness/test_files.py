"""Readiness files, and who reads them while they change."""

import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from baliza.readiness.files import ReadinessShelf, current, new_version, read, save
from baliza.readiness.model import BrokenReadiness, ReadinessFile
from tests.baliza.readiness.test_model import file

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        self.now += 2.0
        return self.now


def version(number: int, basis: str = "model") -> ReadinessFile:
    return file(version=new_version(NOW + timedelta(seconds=number)), basis=basis)


def test_the_last_one_written_is_in_use_and_three_are_kept(tmp_path: Path) -> None:
    assert current(tmp_path, "demo") is None
    for number in range(5):
        save(tmp_path, version(number))
    assert current(tmp_path, "demo") == version(4).version
    assert read(tmp_path, "demo", version(4).version) == version(4)
    assert len(list((tmp_path / "demo" / "readiness").glob("*.json"))) == 3


def test_a_shelf_follows_what_is_in_use(tmp_path: Path) -> None:
    shelf = ReadinessShelf(tmp_path, Clock())
    assert shelf.get("demo") is None
    for number in range(2):
        save(tmp_path, version(number))
        found = shelf.get("demo")
        assert found is not None
        assert found.version == version(number).version
    save(tmp_path, version(2, basis="rules"))
    assert shelf.get("demo") is None
    assert shelf.get("other") is None


def test_a_shelf_looks_once_a_second(tmp_path: Path) -> None:
    moment = [10.0]
    shelf = ReadinessShelf(tmp_path, lambda: moment[0])
    assert shelf.get("demo") is None
    save(tmp_path, version(1))
    assert shelf.get("demo") is None
    moment[0] += 1.0
    assert shelf.get("demo") is not None


def test_a_broken_file_is_told_once_and_what_was_there_goes_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    shelf = ReadinessShelf(tmp_path, Clock())
    save(tmp_path, version(1))
    assert shelf.get("demo") is not None
    save(tmp_path, version(2))
    (tmp_path / "demo" / "readiness" / f"{version(2).version}.json").write_text("half a fi")
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            found = shelf.get("demo")
            assert found is not None
            assert found.version == version(1).version
    assert len(caplog.records) == 1
    assert "the model before goes on" in caplog.text


def test_a_version_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(BrokenReadiness, match="cannot be read: No such file"):
        read(tmp_path, "demo", "1")
