"""Expected value and variety, by hand."""

import pytest

from personalizer.offers.placements import Rules
from personalizer.offers.ranking import (
    ALPHA,
    RATES,
    TYPICAL,
    Ranked,
    greedy,
    loudness,
)
from personalizer.offers.situation import Reason, Situation

ALL = dict.fromkeys(Reason, 0.5)


def ranked(item: int, score: float, category: int = 0) -> Ranked:
    return Ranked(item, score, 1.0, score, category, Reason.BEST_SELLER, -1)


def test_every_reason_has_a_rate_and_a_typical_strength() -> None:
    assert set(RATES) == set(TYPICAL) == set(Reason)
    assert all(0 < RATES[reason] < 1 and 0 < TYPICAL[reason] <= 1 for reason in Reason)


def test_purposes_change_how_loud_a_source_is() -> None:
    def bought_together(purposes: tuple[float, float, float], rules: Rules) -> float:
        return loudness(ALL, rules, Situation("x", purposes=purposes))[Reason.BOUGHT_TOGETHER]

    assert bought_together((0.0, 1.0, 0.0), Rules()) == 0.5
    assert bought_together((0.0, 0.0, 1.0), Rules()) == 1.0
    assert bought_together((0.5, 0.0, 0.5), Rules()) == pytest.approx(0.5 * (0.5 * 0.35 + 0.5 * 2))
    assert bought_together((1.0, 0.0, 0.0), Rules(to_buy=True)) == 1.0


def test_a_source_without_business_here_is_silent() -> None:
    assert loudness(ALL, Rules(frozenset({Reason.EDITORIAL})), Situation("x"))[Reason.EDITORIAL] == 0


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
