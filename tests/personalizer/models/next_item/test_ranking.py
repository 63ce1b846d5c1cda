"""The compiled way from a visit to the list."""

import numpy as np

from personalizer.models.next_item import NextItem, Visit
from personalizer.models.next_item.ranking import MOST
from personalizer.models.next_item.visit import ALIKE, NEARBY, POPULAR, SEEN
from tests.personalizer.models.next_item.test_index import behaviour


def test_each_item_says_where_it_comes_from_and_what_speaks_for_it() -> None:
    model = NextItem.fit(behaviour([0, 1], [1, 2], [2, 3], [4, 5]), 6)
    ranked = model.rank(Visit.of([0]), 6)
    said = {
        int(item): (int(source), int(why))
        for item, source, why in zip(ranked.items, ranked.source, ranked.because, strict=True)
    }
    assert said == {0: (SEEN, 0), 1: (ALIKE, 0), 2: (NEARBY, 0), 3: (POPULAR, -1), 4: (POPULAR, -1), 5: (POPULAR, -1)}


def test_many_candidates_are_listed_behind_those_that_are_scored() -> None:
    rng = np.random.default_rng(1)
    model = NextItem.fit(behaviour(*[[0, *rng.choice(300, 12) + 1] for _ in range(90)]), 301)
    ranked = model.rank(Visit.of([0]), 250)
    assert len(ranked) == len(set(ranked.items.tolist())) == MOST
    assert (np.diff(ranked.probability) <= 0).all()
    assert (ranked.source[:150] != POPULAR).all()
    assert np.array_equal(model.rank(Visit.of([0]), 20).items, ranked.items[:20])
