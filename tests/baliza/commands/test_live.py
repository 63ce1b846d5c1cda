"""The live line on a terminal and in a log file."""

import io
import os
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from baliza.commands.live import LiveLine
from baliza.errors import StoreDown
from baliza.status import Status

STATUS = Status(datetime(2026, 11, 21, 15, 0, tzinfo=UTC), 1_234, 60, 5, 4, 3, 2)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr(os, "get_terminal_size", lambda *_: os.terminal_size((40, 20)))


def failing(error: Exception) -> Callable[[], Status]:
    def read() -> Status:
        raise error

    return read


def test_on_a_terminal_one_row_lives(narrow: None) -> None:
    out = Terminal()
    live = LiveLine(out)
    live.show(lambda: STATUS, 0.0)
    live.show(lambda: STATUS, 1.0)
    assert out.getvalue() == f"\r\x1b[K{STATUS.line()[:39]}" * 2
    assert "\n" not in out.getvalue()


def test_what_is_told_replaces_the_row_and_stays() -> None:
    out = Terminal()
    live = LiveLine(out)
    live.show(lambda: STATUS, 0.0)
    live.tell("valkey has ended")
    assert out.getvalue().endswith("\r\x1b[Kvalkey has ended\n")


def test_elsewhere_it_is_one_line_a_minute() -> None:
    out = io.StringIO()
    live = LiveLine(out)
    for second in range(121):
        live.show(lambda: STATUS, float(second))
    live.tell("valkey has ended")
    assert out.getvalue() == f"{STATUS.line()}\n" * 3 + "valkey has ended\n"


def test_a_store_that_is_away_is_said_in_words() -> None:
    out = io.StringIO()
    live = LiveLine(out, every_s=0)
    live.show(failing(StoreDown("the history does not answer: refused")), 0.0)
    live.show(failing(ValueError("odd\nstack")), 1.0)
    live.show(lambda: STATUS, 2.0)
    assert out.getvalue().splitlines() == [
        "no figures: the history does not answer: refused",
        "no figures right now: odd",
        STATUS.line(),
    ]


class Closed(Terminal):
    def write(self, _text: str) -> int:
        raise OSError(5, "Input/output error")


def test_a_terminal_that_was_closed_stops_nothing() -> None:
    live = LiveLine(Closed())
    live.tell("stopping")
    live.show(lambda: STATUS, 0.0)
