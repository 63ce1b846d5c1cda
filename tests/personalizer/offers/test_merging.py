"""What sources say together and what it is worth, by hand."""

from dataclasses import replace

import numpy as np
import pytest

from personalizer.feedback.responses import CENTRES, Responses
from personalizer.models.next_item.compiled import still
from personalizer.offers.insight import Insight, insight_of
from personalizer.offers.merging import Merged, merged
from personalizer.offers.ranking import SUREST, Ranked
from personalizer.offers.situation import Candidates, Reason
from tests.personalizer.planted import NOW_MS
from tests.personalizer.shops import item, shop

NOW_S = NOW_MS // 1000
ALL = dict.fromkeys(Reason, 0.5)
# The median is 20.
SHOP = shop([item("a", price=20), item("b", price=20), item("c", price=20), item("d", price=20), item("e", price=20)])


def merge(
    found: list[Candidates], loud: dict[Reason, float] | None = None, known: Insight = SHOP, dial: float = 0.0
) -> Merged:
    return merged(known, found, loud or ALL, "home", dial, NOW_S)


def only(found: list[Candidates], known: Insight = SHOP, dial: float = 0.0) -> Ranked:
    (ranked,) = merge(found, known=known, dial=dial).front(9)
    return ranked


def test_what_several_sources_say_adds_up() -> None:
    found = merge(
        [Candidates(Reason.BEST_SELLER, [4, 1], [0.2, 1.0]), Candidates(Reason.BOUGHT_TOGETHER, [1], [0.4], [3])]
    ).front(9)
    assert [(one.item, one.p) for one in found] == [(1, pytest.approx(1 - 0.5 * 0.8)), (4, pytest.approx(0.1))]
    assert (found[0].reason, found[0].because) == (Reason.BEST_SELLER, -1), "who says most gives the reason"


def test_of_equals_who_spoke_first_gives_the_reason() -> None:
    first, second = Candidates(Reason.BOUGHT_TOGETHER, [1], [0.4], [3]), Candidates(Reason.BEST_SELLER, [1], [0.4])
    assert (only([first, second]).reason, only([first, second]).because) == (Reason.BOUGHT_TOGETHER, 3)
    assert only([second, first]).reason is Reason.BEST_SELLER


def test_the_best_stand_first_and_equal_ones_by_number() -> None:
    found = merge([Candidates(Reason.BEST_SELLER, [3, 0, 4, 1], [0.2, 0.2, 0.9, 0.2])])
    assert found.items.tolist() == [4, 0, 1, 3]
    assert [one.item for one in found.front(2)] == [4, 0]


def test_nobody_says_nothing() -> None:
    assert len(merge([]).items) == 0
    assert merge([]).front(5) == []


def test_who_must_be_silent_is_not_heard() -> None:
    found = [Candidates(Reason.EDITORIAL, [1], [1.0]), Candidates(Reason.BEST_SELLER, [2, 3], [1.0, 0.0])]
    silenced = merge(found, ALL | {Reason.EDITORIAL: 0.0})
    assert silenced.items.tolist() == [2, 3]
    assert [one.item for one in silenced.front(9)] == [2], "nor is who says nothing"


def test_nobody_is_entirely_sure() -> None:
    found = merge([Candidates(Reason.BEST_SELLER, [1], [1.0])], dict.fromkeys(Reason, 7.0)).front(1)
    assert found[0].p == pytest.approx(SUREST)


@pytest.mark.parametrize("p_next", [0.0, 1e-6, 0.0001, 0.02, 0.021, 0.5, 0.9, 1.0])
def test_the_model_of_next_items_is_heard_through_the_learned_curve(p_next: float) -> None:
    responses = Responses.prior(5)
    learned = np.tile(np.append(np.linspace(0.1, 1.9, len(CENTRES)), 1.0), (len(responses.curve), 1))
    known = insight_of(SHOP.model, SHOP.wares, NOW_S, replace(responses, curve=learned.astype(np.float32)))
    height = np.interp(np.log2(max(p_next, 1e-9)), CENTRES, np.linspace(0.1, 1.9, len(CENTRES), dtype=np.float32))
    assert only([Candidates(Reason.NEXT_ITEM, [1], [p_next])], known).p == pytest.approx(0.5 * height)
    assert known.curve("home", [p_next]) == pytest.approx([height]), "as explanations tell it"
    assert only([Candidates(Reason.BEST_SELLER, [1], [0.4])], known).p == pytest.approx(0.2), "the others are not"


def test_responses_to_an_item_count() -> None:
    factor = still(np.array([1, 0.5, 1, 1, 1], np.float32))
    known = insight_of(SHOP.model, SHOP.wares, NOW_S, replace(SHOP.responses, factor=factor))
    assert only([Candidates(Reason.BEST_SELLER, [1], [0.4])], known).p == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("price", "dial", "expected"),
    [
        (40.0, 0.0, (2.0, 0.1)),
        (40.0, 1.0, (2.0, 0.2)),
        (10.0, 0.5, (0.5, 0.1 * 0.5**0.5)),
        (0.0, 1.0, (1.0, 0.1)),
        (9e9, 1.0, (20.0, 2.0)),
        (0.01, 1.0, (0.05, 0.005)),
        (np.nan, 1.0, (1.0, 0.1)),
    ],
)
def test_expected_value_by_hand(price: float, dial: float, expected: tuple[float, float]) -> None:
    value = still(np.array([20, price, 20, 20, 20], np.float32))
    known = replace(SHOP, wares=replace(SHOP.wares, value=value))
    found = only([Candidates(Reason.BEST_SELLER, [1], [0.2])], known, dial)
    assert (found.p, found.worth, found.score) == (pytest.approx(0.1), *map(pytest.approx, expected))


def test_what_is_sold_out_or_past_its_date_is_closed() -> None:
    known = shop(
        [
            item("a"),
            item("b", availability="out_of_stock"),
            item("c", expires_ms=NOW_MS + 5_000),
            item("d", expires_ms=NOW_MS),
        ]
    )
    found = [Candidates(Reason.BEST_SELLER, [0, 1, 2, 3], [0.4, 0.3, 0.2, 0.1])]
    assert merge(found, known=known).closed.tolist() == [1, 3]
    later = merged(known, found, ALL, "home", 0.0, NOW_S + 6)
    assert later.closed.tolist() == [1, 2, 3], "the view is a moment old, the date is not"


def test_category_and_variant_group_come_along() -> None:
    known = shop([item("a", "x"), item("b", "y", variant_of="one"), item("c", "y", variant_of="one")])
    found = merge([Candidates(Reason.BEST_SELLER, [0, 1, 2], [0.9, 0.8, 0.7])], known=known).front(9)
    categories, variants = known.wares.category_of.tolist(), known.wares.variant_of.tolist()
    assert [(one.category, one.variant) for one in found] == list(zip(categories, variants, strict=True))
    assert variants[1] == variants[2] >= 0
