"""Answers that are kept for next time, when working them out again costs more than looking them up."""

from typing import TypeVar

__all__ = ["Kept"]

K = TypeVar("K")
V = TypeVar("V")


class Kept(dict[K, V]):
    """At most so many answers; when there is one more, it begins anew. Ask with get(). For any thread.

    What is asked for often is back at once, and nothing has to be written down when it is only asked for.
    """

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def keep(self, key: K, value: V) -> V:
        """Keep the answer, and answer it."""
        if len(self) >= self.most:
            self.clear()
        self[key] = value
        return value
