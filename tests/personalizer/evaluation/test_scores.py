"""From predictions to figures."""

import json
import math
from pathlib import Path

import numpy as np

from personalizer.evaluation.protocol import Played, play
from personalizer.evaluation.scores import Evaluated, best_of, first_forecasts, gain, plain, scores
from tests.personalizer.evaluation.test_protocol import Fixed
from tests.personalizer.evaluation.test_split import split

TRAIN = "1,a,1\n1,b,2\n1,c,3\n"
TEST = "9,a,10\n9,b,20\n9,b,30\n9,c,40\n8,c,50\n8,a,51\n"


def played(folder: Path, items: list[int], probability: float = math.nan) -> tuple[Played, Played]:
    return play(Fixed(items, probability), split(folder, TRAIN, TEST))


def test_the_figures_of_a_small_shop_by_hand(tmp_path: Path) -> None:
    whole, fresh = played(tmp_path, [1, 2])
    found = scores(whole)
    # Next are b, b, c and a: at places 1, 1, 2 and none.
    assert (found["n"], found["hr@20"], found["hr@1"], found["mrr@20"]) == (4, 3 / 4, 2 / 4, 2.5 / 4)
    assert found["precision@20"] == (2 + 2 + 1 + 0) / 20 / 4
    assert found["recall@20"] == (1 + 1 + 1 + 0) / 4
    assert found["coverage@20"] == 2 / 3
    assert found["popularity@20"] == 1.0
    # New to the session are b, c, and a.
    assert (scores(fresh)["n"], scores(fresh)["hr@20"]) == (3, 2 / 3)


def test_forecasts_are_of_the_first_place(tmp_path: Path) -> None:
    whole, _ = played(tmp_path, [1, 2], 0.5)
    forecasts, outcomes = first_forecasts(whole)
    assert forecasts.tolist() == [0.5] * 4
    assert outcomes.tolist() == [1, 1, 0, 0]
    assert scores(whole)["ece"] == 0.5  # |0.5 - 0| or |0.5 - 1| in bins of one


def test_times_are_in_milliseconds(tmp_path: Path) -> None:
    whole, _ = played(tmp_path, [1])
    slow = Played(**{**vars(whole), "cpu_ns": np.array([1_000_000, 1_000_000, 1_000_000, 9_000_000])})
    found = scores(slow)
    assert (found["mean_ms"], found["p50_ms"], found["p99_ms"]) == (3.0, 1.0, 9.0)


def test_json_has_the_promised_keys_and_null_for_what_makes_no_sense(tmp_path: Path) -> None:
    whole, fresh = played(tmp_path, [1, 2])
    answer = json.loads(
        json.dumps(
            plain(Evaluated("fixed", whole, fresh, whole, fresh, 1.5, 1.25, Fixed([]), {"items": 3})), allow_nan=False
        )
    )
    assert answer["model"] == "fixed"
    assert {
        "n", "hr@20", "mrr@20", "hr@10", "mrr@10", "ndcg@20", "coverage@20", "popularity@20", "p50_ms", "p99_ms", "mean_ms",
        "fit_s", "ece",
    } <= answer.keys()  # fmt: skip
    assert answer["ece"] is None
    assert answer["unseen"]["n"] == 3
    assert (answer["fit_s"], answer["items"]) == (1.5, 3)


def test_a_run_without_predictions_has_figures_too(tmp_path: Path) -> None:
    whole, fresh = play(Fixed([0]), split(tmp_path, TRAIN, "9,a,1\n"))
    answer = plain(Evaluated("fixed", whole, fresh, whole, fresh, 0, 0, Fixed([])))
    assert (answer["n"], answer["hr@20"], answer["p99_ms"]) == (0, None, None)


def test_the_same_run_says_the_same_gain(tmp_path: Path) -> None:
    better, worse = played(tmp_path, [1, 2])[0], played(tmp_path, [0])[0]
    found = gain("hr@20", better, "worse", worse)
    assert found == gain("hr@20", better, "worse", worse)
    assert found.mean == 3 / 4 - 1 / 4
    assert found.low <= found.mean <= found.high
    assert best_of("mrr@20", {"worse": worse, "better": better}) == "better"


def test_no_difference_is_not_certain(tmp_path: Path) -> None:
    one = played(tmp_path, [1])[0]
    assert not gain("mrr@20", one, "itself", one).certain
