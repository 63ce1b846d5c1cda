"""How long an item's id may be: ids are kept at one width, that of the longest, and anybody could send one of 400 bytes."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from personalizer.catalogue.store import CatalogueCopy
from personalizer.learning.history import Items

__all__ = ["longest_id", "shortened"]

USUAL: Final = 64  # bytes that every shop's ids may have
MOST: Final = 0.95  # of all that was done


def longest_id(lengths: NDArray[np.int64], weights: NDArray[np.float64]) -> int:
    """Bytes that an id may have: twice what 95 % of the weight has, 64 at least."""
    if not len(lengths):
        return USUAL
    order = np.argsort(lengths)
    shares = np.cumsum(weights[order])
    place = min(int(np.searchsorted(shares, MOST * shares[-1])), len(lengths) - 1)
    return max(USUAL, 2 * int(lengths[order[place]]))


def shortened(items: Items, copy: CatalogueCopy | None) -> tuple[Items, CatalogueCopy | None, int]:
    """Both without the few items whose ids are far longer than the rest; and how many these are.

    An item weighs what visitors did with it, a row of the feed as much as one purchase.
    """
    rows = copy.rows if copy else {}
    done, listed = _lengths(entry.item_id for entry in items.facts), _lengths(rows)
    longest = longest_id(np.concatenate([done, listed]), np.concatenate([items.counts.sum(1), np.ones(len(listed))]))
    held = done <= longest
    long = {entry.item_id for entry, kept in zip(items.facts, held, strict=True) if not kept}
    long |= {item_id for item_id, length in zip(rows, listed, strict=True) if length > longest}
    if not long:
        return items, copy, 0
    facts = [entry for entry, kept in zip(items.facts, held, strict=True) if kept]
    if copy is not None:
        copy = replace(copy, rows={item_id: row for item_id, row in rows.items() if item_id not in long})
    return Items(facts, items.counts[held]), copy, len(long)


def _lengths(item_ids: Iterable[str]) -> NDArray[np.int64]:
    return np.array([len(item_id.encode()) for item_id in item_ids], np.int64)
