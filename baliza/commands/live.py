"""The live line of a running product, and what is told beside it."""

import shutil
from collections.abc import Callable
from contextlib import suppress
from typing import TextIO

from baliza.errors import BalizaError
from baliza.status import Status
from baliza.stores import first_line

__all__ = ["LiveLine"]


class LiveLine:
    """One row of figures. On a terminal it stays in its place and lives; elsewhere it is a line every `every_s`."""

    def __init__(self, out: TextIO, every_s: float = 60.0) -> None:
        self._out, self._every_s = out, every_s
        self._terminal = out.isatty()
        self._shown_at: float | None = None

    def tell(self, text: str) -> None:
        """Print something that stays."""
        # Back to the margin and clear: what is told replaces the live line, which comes again under it.
        self._write(f"\r\x1b[K{text}\n" if self._terminal else f"{text}\n")

    def show(self, read: Callable[[], Status], now: float) -> None:
        """Show the figures of now (a clock in seconds that never goes back). A store that is away is said in words."""
        if not self._terminal and self._shown_at is not None and now - self._shown_at < self._every_s:
            return
        self._shown_at = now
        line = _line(read)
        if not self._terminal:
            self._write(f"{line}\n")
            return
        width = shutil.get_terminal_size((120, 20)).columns - 1
        self._write(f"\r\x1b[K{line[:width]}")

    def _write(self, text: str) -> None:
        # A terminal that was closed takes nothing more, and everything must still be stopped in order.
        with suppress(OSError):
            self._out.write(text)
            self._out.flush()


def _line(read: Callable[[], Status]) -> str:
    try:
        return read().line()
    except BalizaError as error:
        return f"no figures: {first_line(error)}"
    except Exception as error:  # noqa: BLE001 - the live line must not stop what it only watches
        return f"no figures right now: {first_line(error)}"
