"""The simple answers: what each one is to find. What all models must do is in test_models."""

import numpy as np
import pytest

from personalizer.evaluation.baselines import BASELINES, BestSellers, BoughtTogether, SessionKnn, Together
from personalizer.evaluation.ranker import Ranker
from personalizer.models.behaviour import CART, PURCHASE, VIEW, Behaviour
from personalizer.models.next_item import Visit
from tests.support.real_log import real_log

LAMP, BULB, PHONE, CASE, RUG, NEVER = range(6)
# Who looks at the lamp looks at the bulb, who looks at the phone at the case; the rug is looked at by all.
SESSIONS = [[LAMP, BULB]] * 6 + [[PHONE, CASE]] * 4 + [[RUG]] * 9 + [[LAMP, RUG], [PHONE, RUG], [BULB, RUG]]
ALL = pytest.mark.parametrize("name", list(BASELINES))


def behaviour(sessions: list[list[int]], gap_s: int = 60) -> Behaviour:
    rows = [(number, item) for number, items in enumerate(sessions) for item in items]
    numbers, items = (np.array(column) for column in zip(*rows, strict=True))
    return Behaviour.of_rows(numbers, items, np.zeros(len(rows), np.uint8), numbers * gap_s)


def visit(*items: int) -> Visit:
    return Visit.of(items)


def asked(ranker: Ranker, *items: int, most: int = 20) -> list[int]:
    return ranker.rank(visit(*items), most, 2_000).items.tolist()


def fitted(name: str) -> Ranker:
    return BASELINES[name](behaviour(SESSIONS), NEVER + 1)


@ALL
def test_claims_no_probability(name: str) -> None:
    ranked = fitted(name).rank(visit(LAMP), 20, 2_000)
    assert np.isnan(ranked.probability).all()
    assert ranked.probability.shape == ranked.items.shape


def test_last_viewed_comes_first() -> None:
    assert asked(fitted("last-viewed"), LAMP, PHONE, LAMP, RUG) == [RUG, LAMP, PHONE]


def test_best_sellers_are_what_most_looked_at() -> None:
    assert asked(fitted("best-sellers"), LAMP) == [RUG, LAMP, BULB, PHONE, CASE]


def test_what_was_bought_sells_better_than_what_was_looked_at() -> None:
    kinds = np.array([VIEW, VIEW, VIEW, CART, PURCHASE])
    train = Behaviour.of_rows(np.array([1, 2, 3, 4, 4]), np.array([0, 0, 0, 1, 1]), kinds, np.arange(5))
    assert asked(BestSellers(train, 2), 0) == [1, 0]


def test_recent_best_sellers_forget() -> None:
    old, new = [[LAMP]] * 8, [[BULB]] * 5
    train = behaviour(old + new, gap_s=40_000)
    assert asked(BestSellers(train, 2), LAMP) == [LAMP, BULB]
    assert asked(BestSellers(train, 2, half_life_s=86_400), LAMP) == [BULB, LAMP]


def test_companions_follow_what_was_viewed() -> None:
    assert asked(fitted("together"), LAMP)[:2] == [LAMP, BULB]
    assert asked(fitted("together"), RUG, PHONE)[:2] == [PHONE, CASE]


def test_companions_by_hand() -> None:
    # lamp in 7 sessions, bulb in 7, together in 6; lamp and rug together in 1 of 7 and 12.
    ranker = Together(behaviour(SESSIONS), NEVER + 1)
    items, scores = ranker._similar.row(LAMP)
    assert dict(zip(items.tolist(), scores.tolist(), strict=True)) == {
        BULB: pytest.approx(6 / 7),
        RUG: pytest.approx(1 / np.sqrt(7 * 12)),
    }


def test_who_saw_this_bought_that_by_hand() -> None:
    # Three sessions saw the lamp; two of them bought a bulb, of three sessions that did.
    rows = [
        (1, LAMP, VIEW),
        (1, BULB, CART),
        (2, LAMP, VIEW),
        (2, BULB, PURCHASE),
        (3, LAMP, VIEW),
        (4, BULB, CART),
        (4, BULB, CART),
    ]
    sessions, items, kinds = (np.array(column) for column in zip(*rows, strict=True))
    ranker = BoughtTogether(Behaviour.of_rows(sessions, items, kinds, np.arange(len(rows))), 2)
    items, scores = ranker._bought.row(LAMP)
    assert items.tolist() == [BULB]
    assert scores.tolist() == [pytest.approx(2 / np.sqrt(3 * 3))]
    assert asked(ranker, LAMP) == [BULB]


def test_without_carts_nobody_bought_anything() -> None:
    assert asked(fitted("bought-together"), LAMP, RUG) == []


def test_sessions_like_this_one_speak() -> None:
    # Of lamp and bulb: six sessions of both (cosine 1), one of lamp and rug, one of bulb and rug (1/2 each).
    assert asked(fitted("session-knn"), LAMP, BULB) == [LAMP, BULB, RUG]
    assert asked(fitted("session-knn"), CASE)[:2] == [PHONE, CASE]  # equal ones by number


def test_only_the_latest_sessions_speak() -> None:
    train = behaviour([[LAMP, BULB]] * 3 + [[LAMP, CASE]] * 2)
    assert asked(SessionKnn(train, 4, latest=2), LAMP) == [LAMP, CASE]


def test_only_the_nearest_sessions_speak() -> None:
    train = behaviour([[LAMP, BULB], [LAMP, CASE, RUG, PHONE], [LAMP, CASE, RUG, PHONE]])
    assert asked(SessionKnn(train, 5, nearest=1), LAMP) == [LAMP, BULB]


def test_what_nobody_looked_at_has_no_like() -> None:
    assert asked(fitted("session-knn"), NEVER) == []


@pytest.mark.long
def test_best_sellers_reach_what_is_known_of_a_standard_split() -> None:
    from personalizer.evaluation.log import read_log
    from personalizer.evaluation.metrics import hit_rate, reciprocal_rank
    from personalizer.evaluation.protocol import play
    from personalizer.evaluation.split import split_of

    folder = real_log().parents[1] / "splits"
    found = split_of(*(read_log(folder / f"retailrocket_8d_{side}.csv.gz") for side in ("train", "test")))
    whole, _ = play(BestSellers(found.train, len(found.item_ids)), found)
    assert (round(hit_rate(whole.ranks, 20), 3), round(reciprocal_rank(whole.ranks, 20), 3)) == (0.038, 0.008)
    whole, _ = play(SessionKnn(found.train, len(found.item_ids)), found)
    assert hit_rate(whole.ranks, 20) == pytest.approx(0.61, abs=0.01)
