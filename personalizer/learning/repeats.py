"""What the history says of things that are bought again."""

import numpy as np
from numpy.typing import NDArray

from baliza.sites import Site
from baliza.stores import History, query
from personalizer.learning.history import Interactions, Items
from personalizer.learning.span import Span
from personalizer.models.habits import Habits, Repeat, Taken, learn_rebuy, taken_both
from personalizer.models.model import UNKNOWN, Model

__all__ = ["habits_of", "read_habits"]


def read_habits(history: History, site: Site, span: Span, items: Items, seen: Interactions, model: Model) -> Habits:
    """Habits with the model's items. One query. Raises StoreDown.

    Intervals longer than the period cannot be seen; of the others the short ones are seen more often than they are.
    """
    asked = {"site": site.name, "since_ms": span.since_ms, "until_ms": span.until_ms}
    rows = history.rows(query("train_repeats"), asked)
    numbers = model.find_items([row[0] for row in rows])
    repeats = [
        Repeat(number, row[1], row[2], float(row[3])) for number, row in zip(numbers, rows, strict=True) if number != UNKNOWN
    ]
    consumable = np.full(len(model), -1, np.int8) if model.goods is None else model.goods.consumable
    return habits_of(items, seen, model, learn_rebuy(repeats, model.category_of, consumable))


def habits_of(items: Items, seen: Interactions, model: Model, rebuy_s: NDArray[np.float32]) -> Habits:
    """Habits with what is bought again. Pure."""
    taken = Taken(seen.sessions, seen.items, (seen.cart_adds > 0) | (seen.purchases > 0))
    both = taken_both(taken, model.viewed.starts, model.viewed.items)
    return Habits(rebuy_s, items.counts[:, 2].astype(np.float32), both)
