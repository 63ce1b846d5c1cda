"""Revealing click by click, with a model that remembers what it was told."""

from pathlib import Path

import numpy as np
import pytest

from personalizer.evaluation.log import read_log
from personalizer.evaluation.protocol import MOST, first_carts, next_clicks, play
from personalizer.evaluation.split import split_of
from personalizer.models.next_item import Ranked, Visit
from tests.personalizer.evaluation.test_split import split
from tests.support.real_log import real_log


class Fixed:
    """Answers the same list to everybody, and keeps what it was asked."""

    def __init__(self, items: list[int], probability: float = float("nan")) -> None:
        self.items, self.probability = np.array(items, np.int32), probability
        self.asked: list[tuple[list[int], int, int]] = []

    def rank(self, visit: Visit, most: int, now_s: int) -> Ranked:
        self.asked.append((visit.items.tolist(), most, now_s))
        items = self.items[:most]
        none = np.full(len(items), -1, np.int32)
        return Ranked(items, np.full(len(items), self.probability, np.float32), none, np.zeros(len(items), np.uint8))


def test_reveals_one_click_after_the_other_and_nothing_of_the_future(tmp_path: Path) -> None:
    ranker = Fixed([0])
    play(ranker, split(tmp_path, "1,a,1\n1,b,2\n1,c,3\n", "9,a,10\n9,b,20\n9,b,30\n9,c,40\n8,c,50\n"))
    assert ranker.asked == [
        ([0], MOST + 1, 10),
        ([0, 1], MOST + 2, 20),
        ([0, 1, 1], MOST + 2, 30),
    ]


def test_ranks_are_those_of_the_very_next_click(tmp_path: Path) -> None:
    whole, fresh = play(Fixed([2, 0, 1]), split(tmp_path, "1,a,1\n1,b,2\n1,c,3\n", "9,a,1\n9,b,2\n9,a,3\n9,c,4\n"))
    assert whole.ranks.tolist() == [3, 2, 1]
    assert whole.found.tolist() == [3, 2, 1]
    assert whole.remaining.tolist() == [3, 2, 1]
    # New to the session are b, after a, and c, after a and b; what was seen is taken out of the lists.
    assert fresh.ranks.tolist() == [2, 1]
    assert fresh.remaining.tolist() == [2, 1]
    assert fresh.shown.tolist() == [0, 1, 2]


def test_a_miss_has_no_rank(tmp_path: Path) -> None:
    whole, fresh = play(Fixed([0]), split(tmp_path, "1,a,1\n1,b,2\n", "9,a,1\n9,b,2\n"))
    assert (whole.ranks.tolist(), whole.found.tolist(), whole.remaining.tolist()) == ([0], [0], [1])
    assert fresh.ranks.tolist() == [0]
    assert np.isnan(fresh.popularity).all()


def test_only_twenty_count_whatever_the_list(tmp_path: Path) -> None:
    train = "".join(f"1,{item:02},1\n" for item in range(30))
    whole, fresh = play(Fixed(list(range(30))), split(tmp_path, train, "9,00,1\n9,20,2\n"))
    assert whole.ranks.tolist() == [0]  # place 21
    assert fresh.ranks.tolist() == [20]  # without item 00


def test_unknown_items_are_misses_and_no_models_input(tmp_path: Path) -> None:
    ranker = Fixed([0, 1])
    whole, fresh = play(ranker, split(tmp_path, "1,a,1\n1,b,2\n", "9,new,1\n9,a,2\n9,other,3\n9,new,4\n"))
    assert [asked[0] for asked in ranker.asked] == [[], [0], [0]]
    assert whole.ranks.tolist() == [1, 0, 0]
    assert fresh.ranks.tolist() == [1, 0]  # the last click is on what was seen, if only by the visitor


def test_cart_and_purchase_are_told_but_not_predicted(tmp_path: Path) -> None:
    found = split(
        tmp_path,
        "1,a,1,view\n1,b,2,view\n",
        "9,a,1,view\n9,a,2,cart\n9,b,3,view\n9,b,4,purchase\n",
        "SessionId,ItemId,Time,Kind\n",
    )
    (case,) = next_clicks(found)
    assert (case.visit.items.tolist(), case.visit.kinds.tolist(), case.later.tolist()) == ([0, 0], [0, 1], [1])


def test_popularity_and_claims_are_kept(tmp_path: Path) -> None:
    whole, _ = play(Fixed([0, 1], 0.25), split(tmp_path, "1,a,1\n1,a,2\n1,b,3\n", "9,a,1\n9,b,2\n"))
    assert whole.popularity.tolist() == [0.75]  # a has 1, b half of that
    assert whole.probabilities[0, :3].tolist() == pytest.approx([0.25, 0.25, np.nan], nan_ok=True)


def test_times_the_model_alone(tmp_path: Path) -> None:
    ticks = iter(range(0, 1_000, 7))
    whole, _ = play(Fixed([0]), split(tmp_path, "1,a,1\n", "9,a,1\n9,a,2\n9,a,3\n"), cpu_ns=lambda: next(ticks))
    assert whole.cpu_ns.tolist() == [7, 7]


def test_nothing_to_predict_gives_empty_columns(tmp_path: Path) -> None:
    whole, fresh = play(Fixed([0]), split(tmp_path, "1,a,1\n", "9,a,1\n8,a,2\n"))
    assert len(whole.ranks) == len(fresh.ranks) == 0
    assert whole.probabilities.shape == (0, MOST)


def test_tells_how_far_it_is(tmp_path: Path) -> None:
    told: list[float] = []
    test = "".join(f"{session},a,{session}\n{session},b,{session}\n" for session in range(300))
    play(Fixed([0]), split(tmp_path, "1,a,1\n1,b,1\n", test), progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0


KINDS = "SessionId,ItemId,Time,Kind\n"


def test_the_first_cart_is_predicted_from_the_views_before_it(tmp_path: Path) -> None:
    test = "9,a,1,view\n9,b,2,view\n9,b,3,cart\n9,c,4,view\n9,c,5,purchase\n8,a,6,cart\n7,a,7,view\n7,b,8,view\n"
    found = split(tmp_path, "1,a,1,view\n1,b,2,view\n1,c,3,view\n", test, KINDS)
    (case,) = first_carts(found)  # session 8 has no view before it, session 7 no cart
    assert (case.visit.items.tolist(), case.targets.tolist(), case.later.tolist()) == ([0, 1], [1], [1, 2])
    whole, fresh = play(Fixed([0, 1]), found, first_carts)
    assert whole.ranks.tolist() == [2]
    assert len(fresh.ranks) == 0  # b had been seen


def test_carts_of_items_that_train_has_not_are_no_cases(tmp_path: Path) -> None:
    test = "9,a,1,view\n9,new,2,cart\n8,a,3,view\n8,new,4,purchase\n8,b,4,purchase\n"
    (case,) = first_carts(split(tmp_path, "1,a,1,view\n1,b,2,view\n", test, KINDS))
    assert case.targets.tolist() == case.later.tolist() == [1]


def test_any_item_of_an_order_is_right(tmp_path: Path) -> None:
    test = "9,a,1,view\n9,a,5,purchase\n9,c,5,purchase\n9,b,5,purchase\n"
    found = split(tmp_path, "1,a,1,view\n1,b,2,view\n1,c,3,view\n", test, KINDS)
    whole, fresh = play(Fixed([2, 0, 1]), found, first_carts)
    assert (whole.ranks.tolist(), whole.found.tolist(), whole.remaining.tolist()) == ([1], [3], [3])
    assert (fresh.ranks.tolist(), fresh.found.tolist(), fresh.remaining.tolist()) == ([1], [2], [2])


@pytest.mark.long
def test_the_largest_standard_split_has_its_known_size() -> None:
    folder = real_log().parents[1] / "splits"
    found = split_of(*(read_log(folder / f"retailrocket_7d_{side}.csv.gz") for side in ("train", "test")))
    assert sum(1 for _ in next_clicks(found)) == 19_907
