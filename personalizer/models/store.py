"""Model files: <model_dir>/<site>/<version>/ holds .npy arrays and meta.json; `current` names the version that serves.

A version is written beside, made durable, and only then renamed into place, so nobody ever sees half a model.
"""

import json
import logging
import os
import shutil
import zlib
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from baliza.errors import BalizaError, NotFound
from personalizer.models.model import FORMAT, Model
from personalizer.models.versions import CURRENT, HELD, META, ModelVersions

__all__ = ["BrokenModel", "ModelStore"]

KEPT: Final = 3
DRAFT_S: Final = 24 * 3600.0  # no training takes so long

log = logging.getLogger("baliza.models")


class BrokenModel(BalizaError):
    """A model on disk cannot be served: incomplete, damaged, or of a newer format."""


class ModelStore(ModelVersions):
    """The model files of all sites below one folder, read and written."""

    def load(self, site: str) -> Model | None:
        """The current model, memory-mapped; None when there is none. Raises BrokenModel."""
        version = self.current(site)
        return None if version is None else self.load_version(site, version)

    def load_version(self, site: str, version: str) -> Model:
        """One version, whole and checked. Raises BrokenModel."""
        folder = self.model_dir / site / version
        try:
            meta = json.loads((folder / META).read_text())
            _check_format(folder, meta)
            arrays = {name: _read_array(folder, name, crc) for name, crc in meta["arrays"].items()}
            model = Model.of_arrays(arrays, version)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise BrokenModel(f"the model {folder} cannot be read: {type(error).__name__}: {error}") from error
        if not model.sound():
            raise BrokenModel(f"the model {folder} does not fit together; train again with `baliza train`")
        return model

    def hold(self, site: str, version: str) -> None:
        """Let this version serve, and go on serving when newer ones are trained. Raises NotFound, BrokenModel."""
        self._known(site, version)
        self.load_version(site, version)
        _write_durably(self.model_dir / site / HELD, version.encode())
        self._point_to(self.model_dir / site, version)

    def release(self, site: str) -> str:
        """Let the newest good version serve, and those that come. Answers which. Raises NotFound, BrokenModel."""
        good = [version for version in self.versions(site) if not self.meta(site, version).get("refused")]
        if not good:
            raise NotFound(f"there is no model of {site!r} that could serve; `baliza train --site {site}` makes one")
        self.load_version(site, good[-1])
        (self.model_dir / site / HELD).unlink(missing_ok=True)
        self._point_to(self.model_dir / site, good[-1])
        return good[-1]

    def _known(self, site: str, version: str) -> None:
        known = self.versions(site)
        if version not in known:
            listed = ", ".join(known) or "there are none"
            raise NotFound(f"expected a version of the models of {site!r} ({listed}), got {version[:100]!r}")

    def save(self, site: str, model: Model, about: Mapping[str, object], now: datetime, *, serve: bool = True) -> str:
        """Write a version, let it serve unless told otherwise or another one is held, and drop old ones.

        The newest three stay, and the one that serves. Answers the version's name.
        """
        folder = self.model_dir / site
        version = self._free_name(folder, now)
        draft = folder / f".{version}.{os.getpid()}"
        draft.mkdir(parents=True)
        try:
            checksums = {name: _write_array(draft, name, array) for name, array in model.arrays().items()}
            meta = {"format": FORMAT, "site": site, "version": version, **about, "arrays": checksums}
            _write_durably(draft / META, json.dumps(meta, indent=1).encode())
            draft.rename(folder / version)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
        if serve and not self.held(site):
            self._point_to(folder, version)
        self._prune(site, now.timestamp())
        return version

    @staticmethod
    def _free_name(folder: Path, now: datetime) -> str:
        name = now.strftime("%Y%m%dT%H%M%S.%fZ")
        number = 0
        while (folder / (version := f"{name}-{number}")).exists():
            number += 1
        return version

    @staticmethod
    def _point_to(folder: Path, version: str) -> None:
        draft = folder / f".{CURRENT}.{os.getpid()}"
        _write_durably(draft, version.encode())
        draft.replace(folder / CURRENT)

    def _prune(self, site: str, now_s: float) -> None:
        current = self.current(site)
        # Whoever is killed while writing, for want of memory say, leaves a model's worth of files.
        for draft in (self.model_dir / site).glob(".[0-9]*"):
            with suppress(FileNotFoundError):
                if now_s - draft.stat().st_mtime > DRAFT_S:
                    shutil.rmtree(draft, ignore_errors=True)
        for version in self.versions(site)[:-KEPT]:
            if version != current:
                shutil.rmtree(self.model_dir / site / version, ignore_errors=True)


def _check_format(folder: Path, meta: Mapping[str, Any]) -> None:
    if meta["format"] != FORMAT:
        raise BrokenModel(f"the model {folder} has format {meta['format']}, this program reads format {FORMAT}")


def _read_array(folder: Path, name: str, crc: int) -> NDArray[np.generic]:
    file = folder / f"{name}.npy"
    if zlib.crc32(file.read_bytes()) != crc:
        raise BrokenModel(f"the model file {file} is damaged (its checksum is not the one written down)")
    array: NDArray[np.generic] = np.load(file, mmap_mode="r" if _mappable(file) else None, allow_pickle=False)
    return np.asarray(array)  # a plain view: slicing np.memmap itself is slow


def _mappable(file: Path) -> bool:
    with file.open("rb") as opened:
        np.lib.format.read_magic(opened)
        shape, _, kind = np.lib.format.read_array_header_1_0(opened)
    return bool(np.prod(shape) * kind.itemsize)  # an empty file cannot be mapped


def _write_array(folder: Path, name: str, array: NDArray[np.generic]) -> int:
    file = folder / f"{name}.npy"
    with file.open("wb") as opened:
        np.save(opened, array, allow_pickle=False)
        opened.flush()
        os.fsync(opened.fileno())
    return zlib.crc32(file.read_bytes())


def _write_durably(file: Path, content: bytes) -> None:
    with file.open("wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())
