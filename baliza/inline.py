"""A path that the loop of the public port answers itself, between two looks at its sockets: no thread, no framework.

What is asked of it may need one value of the live store, which the loop reads along with everything else that it sends.
"""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from baliza.errors import StoreDown
from baliza.sites import SiteRegistry

__all__ = ["Inline", "Reply", "Unanswered"]


class Reply(NamedTuple):
    """An HTTP answer; how long the body is, and that HEAD goes without, is the loop's business."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


class Unanswered(Protocol):
    """A request that is understood. key: of the live store, to be read for it; None when nothing is."""

    @property
    def key(self) -> str | None: ...

    def answer(self, stored: bytes | StoreDown | None) -> Reply:
        """The answer, with what the key holds, or why it is not known. Takes a millisecond or two, and never waits."""
        ...


class Inline(Protocol):
    """wait_s: for so long it is worth waiting for the live store; then the answer is made without."""

    @property
    def wait_s(self) -> float: ...

    def ask(self, method: str, query: str, headers: Mapping[str, str], registry: SiteRegistry | None) -> Reply | Unanswered:
        """headers: names in lower case. registry: None when it was never read."""
        ...
