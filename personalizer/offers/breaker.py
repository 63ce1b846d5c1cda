"""After a store failed it is left alone for a moment: a shop's page must not wait for the same failure again."""

import threading
from collections.abc import Callable
from typing import Final, TypeVar

from baliza.errors import StoreDown

__all__ = ["PAUSE_S", "Breaker"]

T = TypeVar("T")
PAUSE_S: Final = 1.0


class Breaker:
    """Lets actions through, and none for pause_s after one that raised StoreDown. For any thread.

    After the pause one thread tries while the others are still refused: a store that hangs holds up one request, not all.
    """

    def __init__(self, monotonic: Callable[[], float], pause_s: float = PAUSE_S) -> None:
        self._monotonic, self._pause_s = monotonic, pause_s
        self._refuse_until: float | None = None
        self._trial = threading.Lock()

    def healthy(self) -> bool:
        """True unless the last action that was let through failed."""
        return self._refuse_until is None

    def run(self, action: Callable[[], T]) -> T:
        """The action's answer. Raises StoreDown: the action's own, or at once while the store is left alone."""
        if self._refuse_until is None:
            return self._try(action)
        if self._monotonic() < self._refuse_until or not self._trial.acquire(blocking=False):
            raise StoreDown("the store did not answer a moment ago; it is tried again soon")
        try:
            return self._try(action)
        finally:
            self._trial.release()

    def _try(self, action: Callable[[], T]) -> T:
        try:
            answer = action()
        except StoreDown:
            self._refuse_until = self._monotonic() + self._pause_s
            raise
        self._refuse_until = None
        return answer
