"""Compiled functions: declared everywhere, compiled (or loaded from the cache) at one moment, never during a request.

numba compiles a function when it is first called, which takes seconds. Here functions that Python calls are declared with
the types of their arguments, warm() makes all of them ready, and afterwards nothing is compiled any more: a call with other
types is an error, not a pause.
"""

import fcntl
import hashlib
import logging
import os
import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import llvmlite
import numba
import numpy as np
from numba import types
from numba.core import config as numba_config
from numpy.typing import NDArray

import personalizer

__all__ = ["COMPILED", "array_of", "compiled", "entry", "inner", "keep_at_hand", "keep_in", "still", "type_of", "warm"]

Types = Callable[[], tuple[Any, ...]]

_entries: Final[list[tuple[Any, Types]]] = []
_lock: Final = threading.Lock()
_ready: Final[set[int]] = set()
LOCK: Final = "lock"
COMPILED: Final = "compiled"  # a folder beside models, shared by who learns and who serves
_kept: Final = {"folder": Path(__file__).parent / "__pycache__"}

_config: Final[Any] = numba_config
_typeof: Final[Callable[[Any], Any]] = numba.typeof

log = logging.getLogger("baliza.models")


def inner(function: Callable[..., Any]) -> Any:
    """A function that only compiled functions call: it becomes part of them."""
    return numba.njit(nogil=True, error_model="numpy", forceinline=True)(function)


def entry(argument_types: Types) -> Callable[[Callable[..., Any]], Any]:
    """A function that Python calls with arguments of just these types. It releases the interpreter's lock."""

    def declare(function: Callable[..., Any]) -> Any:
        dispatcher = numba.njit(nogil=True, error_model="numpy")(function)
        _entries.append((dispatcher, argument_types))
        return dispatcher

    return declare


def array_of(dtype: Any, dimensions: int = 1, *, changed: bool = False) -> Any:
    """The type of an array in C order; only scratch and results may be changed, arrays of a model never."""
    return types.Array(numba.from_dtype(np.dtype(dtype)), dimensions, "C", readonly=not changed)


def still(array: NDArray[Any], dtype: Any = None) -> NDArray[Any]:
    """The array as compiled functions take it: in C order and not to be written to. A view where that is possible."""
    view = np.ascontiguousarray(array, dtype).view()
    view.flags.writeable = False
    return view


def type_of(example: Any) -> Any:
    """The type of a named tuple of arrays and numbers."""
    return _typeof(example)


def compiled() -> bool:
    """Whether everything that is declared by now is ready."""
    return len(_ready) == len(_entries)


def keep_in(folder: Path) -> None:
    """Where compiled code is kept for the next process, from now on; beside the source while nobody says."""
    _kept["folder"] = folder


def keep_at_hand(folder: Path) -> None:
    """As keep_in(), if nothing can be kept beside the source: in an image, or when somebody else installed us."""
    beside = _kept["folder"]
    if not os.access(beside if beside.exists() else beside.parent, os.W_OK):
        keep_in(folder)


def warm() -> float:
    """Make every declared function ready: loaded from the cache where it is, compiled otherwise. Answers the seconds.

    Blocks: half a minute where nothing is cached, otherwise a second. Safe to call from any thread and again.
    """
    began = time.perf_counter()
    with _lock:
        if not compiled():
            folder = _usable(_kept["folder"] / _stamp())
            with _alone_in(folder):
                _make_ready(folder)
            log.info("compiled functions are ready after %.1f s", time.perf_counter() - began)
    return time.perf_counter() - began


def _make_ready(folder: Path | None) -> None:
    before: str = _config.CACHE_DIR
    _config.CACHE_DIR = str(folder or "")
    try:
        for dispatcher, argument_types in _entries:
            if id(dispatcher) not in _ready:
                if folder:
                    dispatcher.enable_caching()
                dispatcher.compile(argument_types())
                dispatcher.disable_compile()
                _ready.add(id(dispatcher))
    finally:
        _config.CACHE_DIR = before


@contextmanager
def _alone_in(folder: Path | None) -> Iterator[None]:
    """One process compiles, the others wait and load what it made."""
    if folder is None:
        yield
        return
    with (folder / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _usable(folder: Path) -> Path | None:
    """The folder if it can be written to; compiling each time is slow, but better than not serving."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        log.warning("compiled functions cannot be kept in %s, so every process compiles its own: %s", folder, error)
        return None


def _stamp() -> str:
    """Changes with the source of any compiled function: numba itself looks only at the file of the outermost one."""
    digest = hashlib.sha256(f"{numba.__version__} {llvmlite.__version__} {np.__version__}".encode())
    for file in sorted(_sources(Path(personalizer.__file__).parent)):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _sources(package: Path) -> set[Path]:
    """The files that declare compiled functions, and those that they import from: numbers of theirs are compiled in."""
    found = set[Path]()
    for file in package.rglob("*.py"):
        source = file.read_text()
        if "@inner" in source or "@entry" in source:
            met = re.findall(rf"^from ({package.name}\.[\w.]+) import", source, re.MULTILINE)
            found |= {file, *(package.parent / f"{name.replace('.', '/')}.py" for name in met)}
    return {file for file in found if file.exists()}
