"""Train and test side by side, with items as numbers. What test knows and train does not is unknown to every model."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from personalizer.evaluation.log import Log
from personalizer.models.behaviour import Behaviour
from personalizer.models.model import UNKNOWN

__all__ = ["Split", "split_of"]


@dataclass(frozen=True)
class Split:
    """item_ids: the sorted ids of train; an item's place is its number. Test items that train has not have the numbers
    from len(item_ids) on. category_of, of shape (items,): a category's number, UNKNOWN for none; None without categories.
    """

    train: Behaviour
    test: Behaviour
    item_ids: NDArray[np.bytes_]
    category_of: NDArray[np.int32] | None
    now_s: int  # the instant of the last event of train
    overlap_s: int  # how long train goes on after test has begun
    both: int = 0  # sessions that are said to be in both

    @property
    def unknown_items(self) -> int:
        """How many different items of test are not in train."""
        return int(max(0, self.test.items.max(initial=-1) + 1 - len(self.item_ids)))

    @property
    def unknown_rows(self) -> int:
        """How many rows of test are about them."""
        return int(np.count_nonzero(self.test.items >= len(self.item_ids)))


def split_of(train: Log, test: Log) -> Split:
    """Items and categories are those of train alone."""
    item_ids, known = np.unique(train.items, return_inverse=True)
    ends = int(train.times.max())
    return Split(
        train=_behaviour(train, known.astype(np.int32)),
        test=_behaviour(test, _numbers(item_ids, test.items)),
        item_ids=item_ids,
        category_of=None if train.categories is None else _categories(train.categories, known, len(item_ids)),
        now_s=ends,
        overlap_s=max(0, ends - int(test.times.min())),
    )


def _behaviour(log: Log, items: NDArray[np.int32]) -> Behaviour:
    return Behaviour.of_rows(log.sessions, items, log.kinds, log.times.astype(np.int64))


def _numbers(item_ids: NDArray[np.bytes_], wanted: NDArray[np.bytes_]) -> NDArray[np.int32]:
    places = np.minimum(np.searchsorted(item_ids, wanted), len(item_ids) - 1)
    strange = item_ids[places] != wanted
    _, numbers = np.unique(wanted[strange], return_inverse=True)
    places[strange] = len(item_ids) + numbers
    return places.astype(np.int32)


def _categories(named: NDArray[np.str_], items: NDArray[np.intp], n_items: int) -> NDArray[np.int32]:
    """What was last said of each item."""
    names, numbers = np.unique(named, return_inverse=True)
    said = named != ""
    found = np.full(n_items, UNKNOWN, np.int32)
    found[items[said]] = numbers[said] - int(names[0] == "")
    return found
