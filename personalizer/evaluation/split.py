"""Train and test side by side, with items as numbers. What test knows and train does not is unknown to every model."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from personalizer.evaluation.log import Log
from personalizer.models.behaviour import Behaviour
from personalizer.models.model import UNKNOWN, places_or_beyond

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

    @property
    def unknown_items(self) -> int:
        """How many different items of test are not in train."""
        return len(np.unique(self.test.items[self.test.items >= len(self.item_ids)]))

    @property
    def unknown_rows(self) -> int:
        """How many rows of test are about them."""
        return int(np.count_nonzero(self.test.items >= len(self.item_ids)))

    def sampled(self, sessions: int, rng: np.random.Generator) -> "Split":
        """The same with so many sessions of test, chosen by lot; all of them where there are no more."""
        if sessions >= len(self.test):
            return self
        return replace(self, test=self.test.chosen(rng.choice(len(self.test), sessions, replace=False)))


def split_of(train: Log, test: Log) -> Split:
    """Items and categories are those of train alone."""
    ends = int(train.times.max())
    return Split(
        train=_behaviour(train, train.items),
        test=_behaviour(test, places_or_beyond(train.item_ids, test.item_ids)[test.items]),
        item_ids=train.item_ids,
        category_of=None if train.categories is None else _categories(train),
        now_s=ends,
        overlap_s=max(0, ends - int(test.times.min())),
    )


def _behaviour(log: Log, items: NDArray[np.int32]) -> Behaviour:
    return Behaviour.of_rows(log.sessions, items, log.kinds, log.times.astype(np.int64))


def _categories(train: Log) -> NDArray[np.int32]:
    """What was last said of each item; categories are numbered by name."""
    assert train.categories is not None
    names = np.array(train.category_names, np.str_)
    place = np.empty(len(names), np.int32)
    place[np.argsort(names)] = np.arange(len(names), dtype=np.int32)
    said = names[train.categories] != ""
    by_time = np.argsort(train.times[said], kind="stable")
    found = np.full(len(train.item_ids), UNKNOWN, np.int32)
    found[train.items[said][by_time]] = place[train.categories[said][by_time]] - int("" in train.category_names)
    return found
