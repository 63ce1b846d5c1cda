"""The explored share, and that its propensities are exactly what happens."""

from collections import Counter
from collections.abc import Iterator
from itertools import permutations
from random import Random

import pytest

from personalizer.offers.exploration import MOST_CHANGED, chance, explored, lower_places


def test_the_first_place_is_never_explored() -> None:
    assert [list(lower_places(shown, 12)) for shown in (1, 2, 3, 5, 8)] == [[], [1], [1, 2], [2, 3, 4], [4, 5, 6, 7]]


def test_no_more_places_than_there_are_things_to_draw() -> None:
    assert list(lower_places(10, 2)) == [8, 9]
    assert list(lower_places(10, 0)) == []


@pytest.mark.parametrize(
    ("shown", "places", "expected"), [(5, 3, 0.05 * 5 / 3), (2, 1, 0.1), (1, 0, 0.0), (50, 2, MOST_CHANGED)]
)
def test_the_share_is_of_all_that_is_shown(shown: int, places: int, expected: float) -> None:
    assert chance(0.05, shown, places) == pytest.approx(expected)


class Script(Random):
    """Chance that says what it is told, to walk through everything that can happen."""

    def __init__(self, coins: list[bool], draws: list[int]) -> None:
        super().__init__(0)
        self._coins, self._draws = iter(coins), iter(draws)

    def random(self) -> float:
        return 0.0 if next(self._coins) else 0.999_999

    def randrange(self, *_args: int) -> int:  # type: ignore[override]
        return next(self._draws)


def everything(shown: int, pool: int, share: float) -> Iterator[tuple[list[tuple[str, float, bool]], float]]:
    """All outcomes with their probabilities: every pattern of coins, every order of draws."""
    best, others = [f"b{n}" for n in range(shown)], [f"p{n}" for n in range(pool)]
    places = len(lower_places(shown, pool))
    c = chance(share, shown, places)
    for pattern in range(2**places):
        coins = [bool(pattern >> place & 1) for place in range(places)]
        orders = list(permutations(range(pool), sum(coins)))
        weight = c ** sum(coins) * (1 - c) ** (places - sum(coins)) / len(orders)
        for order in orders:
            left, draws = list(range(pool)), []
            for drawn in order:
                draws.append(left.index(drawn))
                left.remove(drawn)
            yield explored(best, others, share, Script(coins, draws)), weight


@pytest.mark.parametrize(("shown", "pool"), [(2, 1), (3, 3), (5, 3), (5, 4)])
def test_propensities_are_the_probabilities_of_what_happens(shown: int, pool: int) -> None:
    happens: Counter[tuple[int, str]] = Counter()
    said: dict[tuple[int, str], float] = {}
    total = 0.0
    for outcome, weight in everything(shown, pool, 0.2):
        total += weight
        for place, (name, propensity, _) in enumerate(outcome):
            happens[place, name] += weight  # type: ignore[assignment]
            assert said.setdefault((place, name), propensity) == propensity
    assert total == pytest.approx(1)
    assert {pair: pytest.approx(weight) for pair, weight in happens.items()} == said
    for place in range(shown):
        assert sum(weight for (at, _), weight in said.items() if at == place) == pytest.approx(1)


def test_nothing_is_shown_twice() -> None:
    for outcome, _ in everything(5, 4, 0.3):
        names = [name for name, _, _ in outcome]
        assert len(set(names)) == 5
        assert all(tried == name.startswith("p") for name, _, tried in outcome)


def test_the_explored_share_is_what_was_asked() -> None:
    rng = Random(7)
    shown = [tried for _ in range(4000) for _, _, tried in explored("abcde", "uvwxyz", 0.05, rng)]
    assert sum(shown) / len(shown) == pytest.approx(0.05, abs=0.008)


def test_the_same_chance_gives_the_same_answer() -> None:
    assert explored("abcde", "uvwxyz", 0.5, Random(3)) == explored("abcde", "uvwxyz", 0.5, Random(3))


def test_inverse_propensities_make_an_estimate_unbiased() -> None:
    """How often `p1` would be clicked in the last place, from what was shown: weighed by 1 / propensity it is right."""
    worth = {"b0": 1.0, "b1": 0.5, "b2": 0.25, "p0": 0.1, "p1": 0.8}
    estimate = sum(
        weight * sum(worth[name] / propensity for name, propensity, _ in outcome if name == "p1")
        for outcome, weight in everything(3, 2, 0.2)
    )
    assert estimate == pytest.approx(0.8 * 2), "once for each of the two lower places"


def test_no_share_changes_nothing() -> None:
    assert explored("abc", "xyz", 0.0, Random(1)) == [("a", 1.0, False), ("b", 1.0, False), ("c", 1.0, False)]
    assert [propensity for _, propensity, _ in explored("abc", "", 0.5, Random(1))] == [1, 1, 1]
