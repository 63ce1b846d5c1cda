"""After a store failed it is left alone for a moment: a shop's page must not wait for the same failure again."""

from collections.abc import Callable
from typing import Final, TypeVar

from baliza.errors import StoreDown

__all__ = ["PAUSE_S", "Breaker"]

T = TypeVar("T")
PAUSE_S: Final = 1.0


class Breaker:
    """Lets actions through, and none for PAUSE_S after one that raised StoreDown. For any thread."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._closed_until = float("-inf")

    def run(self, action: Callable[[], T]) -> T:
        """The action's answer. Raises StoreDown: the action's own, or at once during the pause."""
        if self._monotonic() < self._closed_until:
            raise StoreDown("the store did not answer a moment ago; it is tried again soon")
        try:
            return action()
        except StoreDown:
            self._closed_until = self._monotonic() + PAUSE_S
            raise
