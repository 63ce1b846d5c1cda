"""What visits like this one went on to."""

from dataclasses import replace

import numpy as np
import pytest

from personalizer.models.behaviour import Behaviour
from personalizer.models.next_item import NextItem
from personalizer.offers.candidates.next_items import next_items, visit_of
from personalizer.offers.insight import Insight
from personalizer.offers.situation import Reason, Situation, Viewed
from tests.personalizer.planted import ITEMS, VIEWED
from tests.personalizer.shops import planted_shop, told

BULB, CASE, LAMP, PHONE, RUG, TORCH = range(6)


@pytest.fixture(scope="module")
def known() -> Insight:
    clicks = [(number, ITEMS.index(name)) for number, names in enumerate(VIEWED * 3) for name in names]
    sessions, items = np.array(clicks).T
    ranker = NextItem.fit(Behaviour.of_rows(sessions, items, None, np.arange(len(items)) * 10), len(ITEMS), seed=1)
    shop = planted_shop()
    return replace(shop, model=replace(shop.model, next_item=ranker))


def test_a_visit_comes_oldest_first_with_its_counts() -> None:
    visit = visit_of(Situation("home", cart=(CASE,), viewed=(Viewed(LAMP, 2, 5), Viewed(RUG, 1, 60))))
    assert visit is not None
    assert (visit.items.tolist(), visit.kinds.tolist(), visit.counts.tolist()) == ([CASE, RUG, LAMP], [1, 0, 0], [0, 1, 2])


@pytest.mark.parametrize(
    ("viewed", "expected"), [((), [(LAMP, 1)]), ((LAMP, RUG), [(RUG, 1), (LAMP, 1)]), ((RUG, LAMP), [(RUG, 1), (LAMP, 2)])]
)
def test_the_item_on_the_page_is_the_last_of_the_visit(viewed: tuple[int, ...], expected: list[tuple[int, int]]) -> None:
    visit = visit_of(Situation("product", LAMP, viewed=tuple(Viewed(item, 1, place) for place, item in enumerate(viewed))))
    assert visit is not None
    assert list(zip(visit.items.tolist(), visit.counts.tolist(), strict=True)) == expected


def test_last_weeks_visit_is_another_story() -> None:
    visit = visit_of(Situation("home", viewed=(Viewed(LAMP, 1, 5), Viewed(RUG, 1, 7 * 86_400))))
    assert visit is not None
    assert visit.items.tolist() == [LAMP]


def test_without_a_visit_there_is_nothing_to_go_on_from(known: Insight) -> None:
    assert visit_of(Situation("home")) is None
    assert next_items(known, Situation("home")) == []


def test_finds_what_others_went_on_to(known: Insight) -> None:
    found = told(next_items(known, Situation("home", viewed=(Viewed(LAMP, 1, 5),))))
    best = max(found, key=lambda entry: entry.strength)
    assert (best.item, best.reason, best.because) == (TORCH, Reason.NEXT_ITEM, LAMP)
    assert LAMP not in {entry.item for entry in found}, "what was seen has a source of its own"
    assert all(0 < entry.strength <= 1 for entry in found)


def test_without_a_model_of_next_items_what_is_looked_at_together_stands_in() -> None:
    found = told(next_items(planted_shop(), Situation("home", viewed=(Viewed(LAMP, 1, 5),))))
    assert (found[0].item, found[0].reason) == (TORCH, Reason.VIEWED_TOGETHER)
