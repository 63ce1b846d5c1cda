"""Expected value and variety, by hand."""

from math import nan

import numpy as np
import pytest

from personalizer.offers.placements import Rules
from personalizer.offers.ranking import (
    ALPHA,
    RATES,
    SUREST,
    TYPICAL,
    Ranked,
    expected_value,
    greedy,
    loudness,
    merge,
)
from personalizer.offers.situation import Candidates, Reason, Situation

ALL = dict.fromkeys(Reason, 0.5)


def ranked(item: int, score: float, category: int = 0) -> Ranked:
    return Ranked(item, score, 1.0, score, category, Reason.BEST_SELLER, -1)


def test_every_reason_has_a_rate_and_a_typical_strength() -> None:
    assert set(RATES) == set(TYPICAL) == set(Reason)
    assert all(0 < RATES[reason] < 1 and 0 < TYPICAL[reason] <= 1 for reason in Reason)


def test_what_several_sources_say_adds_up() -> None:
    found = [Candidates(Reason.BEST_SELLER, [4, 1], [0.2, 1.0]), Candidates(Reason.BOUGHT_TOGETHER, [1], [0.4], [7])]
    merged = merge(found, ALL, list)
    assert merged.items.tolist() == [1, 4]
    assert (1 - merged.missed).tolist() == pytest.approx([1 - 0.5 * 0.8, 0.1])
    lead = merged.leading[0]
    assert (merged.reasons[lead], merged.because[lead]) == (Reason.BEST_SELLER, -1), "who says most gives the reason"


def test_of_equals_who_spoke_first_gives_the_reason() -> None:
    found = [Candidates(Reason.BOUGHT_TOGETHER, [1], [0.4], [7]), Candidates(Reason.BEST_SELLER, [1], [0.4])]
    assert merge(found, ALL, list).leading.tolist() == [0]


def test_nobody_says_nothing() -> None:
    assert len(merge([], ALL, list).items) == 0


def test_who_must_be_silent_is_not_heard() -> None:
    found = [Candidates(Reason.EDITORIAL, [1], [1.0]), Candidates(Reason.BEST_SELLER, [2], [1.0])]
    assert merge(found, ALL | {Reason.EDITORIAL: 0.0}, list).items.tolist() == [2]


def test_nobody_is_entirely_sure() -> None:
    merged = merge([Candidates(Reason.BEST_SELLER, [1], [1.0])], dict.fromkeys(Reason, 7.0), list)
    assert 1 - merged.missed[0] == pytest.approx(SUREST)


def test_the_model_of_next_items_is_heard_through_the_learned_curve() -> None:
    found = [Candidates(Reason.NEXT_ITEM, [1], [0.03]), Candidates(Reason.BEST_SELLER, [2], [0.4])]
    merged = merge(found, ALL, lambda p_next: [10 * p for p in p_next])
    assert (1 - merged.missed).tolist() == pytest.approx([0.15, 0.2])


def test_purposes_change_how_loud_a_source_is() -> None:
    def bought_together(purposes: tuple[float, float, float], rules: Rules) -> float:
        return loudness(ALL, rules, Situation("x", purposes=purposes))[Reason.BOUGHT_TOGETHER]

    assert bought_together((0.0, 1.0, 0.0), Rules()) == 0.5
    assert bought_together((0.0, 0.0, 1.0), Rules()) == 1.0
    assert bought_together((0.5, 0.0, 0.5), Rules()) == pytest.approx(0.5 * (0.5 * 0.35 + 0.5 * 2))
    assert bought_together((1.0, 0.0, 0.0), Rules(to_buy=True)) == 1.0


def test_a_source_without_business_here_is_silent() -> None:
    assert loudness(ALL, Rules(frozenset({Reason.EDITORIAL})), Situation("x"))[Reason.EDITORIAL] == 0


@pytest.mark.parametrize(
    ("value", "dial", "expected"),
    [
        (40.0, 0.0, (2.0, 0.1)),
        (40.0, 1.0, (2.0, 0.2)),
        (10.0, 0.5, (0.5, 0.1 * 0.5**0.5)),
        (nan, 1.0, (1.0, 0.1)),
        (0.0, 1.0, (1.0, 0.1)),
        (9e9, 1.0, (20.0, 2.0)),
        (0.01, 1.0, (0.05, 0.005)),
    ],
)
def test_expected_value_by_hand(value: float, dial: float, expected: tuple[float, float]) -> None:
    worth, score = expected_value(np.array([0.1]), np.array([value], np.float32), 20.0, dial)
    assert (worth[0], score[0]) == (pytest.approx(expected[0]), pytest.approx(expected[1]))


def test_each_more_of_a_category_counts_less() -> None:
    found = [ranked(1, 1.0), ranked(2, 0.9), ranked(3, 0.8, category=1), ranked(4, 0.7)]
    assert [one.item for one in greedy(found, -1, lambda _: True)] == [1, 3, 2, 4]
    assert 0.9 * (1 - ALPHA) < 0.8


def test_on_its_own_page_a_category_does_not_tire() -> None:
    found = [ranked(1, 1.0), ranked(2, 0.9), ranked(3, 0.8, category=1)]
    assert [one.item for one in greedy(found, 0, lambda _: True)] == [1, 2, 3]


def test_who_does_not_fit_is_passed_over_and_asked_once() -> None:
    asked: list[int] = []

    def fits(one: Ranked) -> bool:
        asked.append(one.item)
        return one.item != 2

    assert [one.item for one in greedy([ranked(1, 0.5), ranked(2, 0.9), ranked(3, 0.8)], -1, fits)] == [3, 1]
    assert sorted(asked) == [1, 2, 3]


@pytest.mark.parametrize("seed", range(5))
def test_the_lazy_order_is_the_plain_one(seed: int) -> None:
    scores = [(seed * 7919 + n * 104729) % 1000 / 1000 + 0.001 for n in range(40)]
    found = [ranked(n, score, n % 3) for n, score in enumerate(scores)]
    left, plain, counts = list(found), [], {0: 0, 1: 0, 2: 0}
    while left:
        best = max(left, key=lambda one: (one.score * (1 - ALPHA) ** counts[one.category], -one.item))
        left.remove(best)
        counts[best.category] += 1
        plain.append(best.item)
    assert [one.item for one in greedy(found, -1, lambda _: True)] == plain
