"""What a person reads."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console

from personalizer.evaluation.protocol import play
from personalizer.evaluation.scores import Evaluated
from personalizer.evaluation.tables import cart_table, compared, remarks, score_table
from tests.personalizer.evaluation.test_protocol import Fixed
from tests.personalizer.evaluation.test_scores import TRAIN, played
from tests.personalizer.evaluation.test_split import split


def drawn(table: object) -> str:
    console = Console(width=160)
    with console.capture() as captured:
        console.print(table)
    return captured.get()


def test_a_row_has_figures_with_their_error_and_dashes_for_none(tmp_path: Path) -> None:
    text = drawn(score_table("Every click", {"fixed": played(tmp_path, [1, 2])[0]}, {"fixed": 1.26}))
    assert "Every click (4 predictions)" in text
    assert "0.750 ±0." in text
    assert "–" in text  # no calibration error without claims
    assert "1.3" in text


def test_a_table_of_nothing_can_be_drawn(tmp_path: Path) -> None:
    whole, _ = play(Fixed([0]), split(tmp_path, TRAIN, "9,a,1\n"))
    assert "(0 predictions)" in drawn(score_table("Every click", {"fixed": whole}, {"fixed": 0}))


def test_a_model_is_compared_with_the_best_of_the_simple_ones(tmp_path: Path) -> None:
    ours, best, worst = (played(tmp_path, items)[0] for items in ([1, 2], [1], []))
    lines = compared({"ours": ours, "together": best, "best-sellers": worst})
    assert [line.partition(":")[0] for line in lines] == ["ours − together, HR@20", "ours − together, MRR@20"]
    assert "+0.250" in lines[0]


def test_a_difference_that_may_be_chance_is_called_so(tmp_path: Path) -> None:
    one = played(tmp_path, [1, 2])[0]
    assert all("may be chance" in line for line in compared({"ours": one, "together": one}))
    better, worse = replace(one, ranks=np.ones_like(one.ranks)), replace(one, ranks=np.zeros_like(one.ranks))
    assert not any("may be chance" in line for line in compared({"ours": better, "together": worse}))


def test_simple_models_alone_are_not_compared(tmp_path: Path) -> None:
    assert compared({"together": played(tmp_path, [1])[0]}) == []


def test_tells_what_must_be_known_of_the_data(tmp_path: Path) -> None:
    found = split(tmp_path, "1,a,1\n1,b,20\n", "9,new,10\n8,a,11\n")
    whole, fresh = play(Fixed([0]), found)
    lines = remarks(found, [Evaluated("fixed", whole, fresh, whole, fresh, 0, 0, Fixed([]))])
    assert "1 items of test (50.0% of its events) are not in train" in lines[0]
    assert "train goes on for 10 s after test has begun" in lines[1]
    assert "nothing to predict" in lines[2]


def test_first_carts_stand_beside_those_of_new_items(tmp_path: Path) -> None:
    whole, fresh = played(tmp_path, [1, 2])
    text = drawn(cart_table({"fixed": whole}, {"fixed": fresh}))
    assert "(4 carts), and of what the session had not viewed (3)" in text
    assert "new: hit@10" in text
    assert "0.667" in text  # of three new items two are among ten
