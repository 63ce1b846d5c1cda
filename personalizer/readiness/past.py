"""What visitors did, from the history, as it was seen live. Needs no NumPy."""

from collections.abc import Iterator
from typing import Any, Final

from baliza.stores import History, query
from personalizer.readiness.replay import Past

__all__ = ["read_past"]

ROWS_AT_ONCE: Final = 20_000
MILLION: Final = 1_000_000


def read_past(
    history: History, site: str, since_ms: int, until_ms: int, share: float = 1.0, visitor_id: str = ""
) -> Iterator[Past]:
    """Events of a slice of time, by visitor and time: of one visitor, or of a share of all. Raises StoreDown."""
    asked: dict[str, Any] = {
        "site": site, "since_ms": since_ms, "until_ms": until_ms, "millionths": round(share * MILLION),
        "visitor_id": visitor_id,
    }  # fmt: skip
    for chunk in history.chunks(query("train_moments"), asked, ROWS_AT_ONCE):
        for row in chunk:
            yield Past(*row)
