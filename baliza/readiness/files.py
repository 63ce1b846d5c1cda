"""Readiness files: <model_dir>/<site>/readiness/<version>.json, `current` names the one in use; and who reads them.

Files and `current` take their place whole, so nobody ever reads half of one.
"""

import logging
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from baliza.readiness.model import BrokenReadiness, ReadinessFile, ReadinessModel, decode

__all__ = ["ReadinessShelf", "current", "new_version", "read", "save"]

CURRENT: Final = "current"
KEPT: Final = 3
LOOK_EVERY_S: Final = 1.0

log = logging.getLogger("baliza.readiness")


def new_version(now: datetime) -> str:
    """Versions sort by time."""
    return now.astimezone(UTC).strftime("%Y%m%dT%H%M%S.%fZ")


def current(model_dir: Path, site: str) -> str | None:
    """The version in use, None when nothing was learned yet. Reads one small file."""
    try:
        return (_folder(model_dir, site) / CURRENT).read_bytes().decode(errors="replace").strip() or None
    except FileNotFoundError:
        return None


def read(model_dir: Path, site: str, version: str) -> ReadinessFile:
    """One version. Raises BrokenReadiness."""
    try:
        content = (_folder(model_dir, site) / f"{version}.json").read_bytes()
    except OSError as error:
        raise BrokenReadiness(f"readiness {version} of {site} cannot be read: {error.strerror}") from error
    return decode(content)


def save(model_dir: Path, file: ReadinessFile) -> None:
    """Write a version, let it be used, and drop all but the newest three."""
    folder = _folder(model_dir, file.site)
    folder.mkdir(parents=True, exist_ok=True)
    _replace(folder / f"{file.version}.json", msgspec.json.encode(file))
    _replace(folder / CURRENT, file.version.encode())
    for old in sorted(folder.glob("[0-9]*.json"))[:-KEPT]:
        old.unlink(missing_ok=True)


def _folder(model_dir: Path, site: str) -> Path:
    return model_dir / site / "readiness"


def _replace(file: Path, content: bytes) -> None:
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    with draft.open("wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())
    draft.replace(file)


@dataclass
class _Slot:
    model: ReadinessModel | None = None
    tried: str | None = None  # the version last tried, good or broken: a broken one is logged once
    looked_at: float = float("-inf")
    trouble: str = ""


class ReadinessShelf:
    """The models in use, by site, for any thread; monotonic: a clock in seconds.

    Once a second one thread looks whether another version is current, and reads it (some milliseconds); the others go on.
    """

    def __init__(self, model_dir: Path, monotonic: Callable[[], float]) -> None:
        self._model_dir, self._monotonic = model_dir, monotonic
        self._slots: dict[str, _Slot] = {}
        self._lock = threading.Lock()

    def get(self, site: str) -> ReadinessModel | None:
        """The model to ask now; None: the rules are in use."""
        slot = self._slots.get(site)
        if slot is None:
            slot = self._slots.setdefault(site, _Slot())
        if self._monotonic() - slot.looked_at >= LOOK_EVERY_S and self._lock.acquire(blocking=False):
            try:
                self._look(site, slot)
            finally:
                self._lock.release()
        return slot.model

    def _look(self, site: str, slot: _Slot) -> None:
        slot.looked_at = self._monotonic()
        try:
            version = current(self._model_dir, site)
            if version is None or version == slot.tried:
                return
            slot.tried = version
            slot.model = ReadinessModel.of_file(read(self._model_dir, site, version))
        except (OSError, BrokenReadiness) as error:
            # One line, not one a second; what was in use goes on.
            if str(error) != slot.trouble:
                log.error("%s; %s goes on", error, "the model before" if slot.model else "the rules' word")
            slot.trouble = str(error)
