"""What the loop asks about its sockets, by epoll and by selectors."""

import selectors
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tracker import watch

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
KINDS = [watch._Anywhere, *([watch._Epoll] if watch.make_watch is watch._Epoll else [])]


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    yield ours, theirs
    ours.close()
    theirs.close()


@pytest.mark.parametrize("kind", KINDS)
def test_owners_hear_what_they_asked_for(kind: Any, pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    asked = kind()
    asked.register(ours, READ, "owner")
    assert asked.ready(0) == []
    theirs.send(b"x")
    assert asked.ready(1) == [("owner", READ)]
    asked.modify(ours, READ | WRITE, "other")
    assert asked.ready(1) == [("other", READ | WRITE)]
    asked.modify(ours, WRITE, "other")
    assert asked.ready(1) == [("other", WRITE)]
    asked.unregister(ours)
    assert asked.ready(0) == []
    asked.register(ours.fileno(), READ, 7)
    assert asked.ready(1) == [(7, READ)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("wanted", [READ, WRITE, READ | WRITE])
def test_the_other_sides_end_is_what_was_asked_for(
    kind: Any, wanted: int, pair: tuple[socket.socket, socket.socket]
) -> None:
    ours, theirs = pair
    asked = kind()
    asked.register(ours, wanted, "owner")
    theirs.close()
    assert asked.ready(1) == [("owner", wanted)]


@pytest.mark.parametrize("kind", KINDS)
def test_many_are_heard_of_at_once(kind: Any) -> None:
    asked, pairs = kind(), [socket.socketpair() for _ in range(50)]
    for number, (ours, theirs) in enumerate(pairs):
        asked.register(ours, READ, number)
        theirs.send(b"x")
    assert sorted(asked.ready(1)) == [(number, READ) for number in range(50)]
    for ours, theirs in pairs:
        asked.unregister(ours)
        ours.close()
        theirs.close()
