"""Who of many sockets can be read or written now: as `selectors`, without its objects per event.

epoll where there is one. An owner is whatever was registered with a socket; it is told of with what it can do.
"""

import select
import selectors
from collections.abc import Callable
from typing import Any, Protocol

__all__ = ["Watch", "Watching", "make_watch"]


class Watching(Protocol):
    """What sockets are told to; selectors' own have it, too. `events`: of selectors.EVENT_READ and EVENT_WRITE."""

    def register(self, fileobj: Any, events: int, data: Any = None) -> Any: ...
    def modify(self, fileobj: Any, events: int, data: Any = None) -> Any: ...
    def unregister(self, fileobj: Any) -> Any: ...


class Watch(Watching, Protocol):
    """What the loop asks: `ready` blocks for so many seconds at most and answers (owner, events) of all that is ready."""

    def ready(self, timeout_s: float) -> list[tuple[Any, int]]: ...


class _Epoll:
    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._owners: dict[int, Any] = {}
        self._wanted: dict[int, int] = {}

    def register(self, fileobj: Any, events: int, data: Any = None) -> None:
        descriptor = fileobj if isinstance(fileobj, int) else fileobj.fileno()
        self._epoll.register(descriptor, _to_epoll(events))
        self._owners[descriptor], self._wanted[descriptor] = data, events

    def modify(self, fileobj: Any, events: int, data: Any = None) -> None:
        descriptor = fileobj if isinstance(fileobj, int) else fileobj.fileno()
        self._epoll.modify(descriptor, _to_epoll(events))
        self._owners[descriptor], self._wanted[descriptor] = data, events

    def unregister(self, fileobj: Any) -> None:
        descriptor = fileobj if isinstance(fileobj, int) else fileobj.fileno()
        self._epoll.unregister(descriptor)
        del self._owners[descriptor], self._wanted[descriptor]

    def ready(self, timeout_s: float) -> list[tuple[Any, int]]:
        owners, found = self._owners, []
        for descriptor, mask in self._epoll.poll(timeout_s, max(1, len(owners))):
            if mask == select.EPOLLIN:
                events = selectors.EVENT_READ
            else:
                # An error, or the other side's end, is whatever was asked for: the next read or write meets it.
                events = selectors.EVENT_WRITE if mask & ~select.EPOLLIN else 0
                events |= selectors.EVENT_READ if mask & ~select.EPOLLOUT else 0
                events &= self._wanted[descriptor]
            found.append((owners[descriptor], events))
        return found


class _Anywhere:
    """The same by the best of selectors."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self.register, self.modify = self._selector.register, self._selector.modify
        self.unregister = self._selector.unregister

    def ready(self, timeout_s: float) -> list[tuple[Any, int]]:
        return [(key.data, events) for key, events in self._selector.select(timeout_s)]


def _to_epoll(events: int) -> int:
    reads = select.EPOLLIN if events & selectors.EVENT_READ else 0
    return reads | (select.EPOLLOUT if events & selectors.EVENT_WRITE else 0)


make_watch: Callable[[], Watch] = _Epoll if hasattr(select, "epoll") else _Anywhere
