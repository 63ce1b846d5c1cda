"""Train and test as numbers."""

from pathlib import Path

import numpy as np
import pytest

from personalizer.evaluation.log import read_log
from personalizer.evaluation.split import Split, split_of
from tests.personalizer.evaluation.test_log import log_file
from tests.support.real_log import real_log

HEADER = "SessionId,ItemId,Time\n"


def split(folder: Path, train: str, test: str, header: str = HEADER) -> Split:
    files = [log_file(folder, header + rows, name) for rows, name in ((train, "train.csv"), (test, "test.csv"))]
    return split_of(*map(read_log, files))


def test_items_are_the_sorted_ids_of_train(tmp_path: Path) -> None:
    found = split(tmp_path, "1,b,1\n1,a,2\n", "9,a,5\n9,b,6\n")
    assert found.item_ids.tolist() == [b"a", b"b"]
    assert found.train.items.tolist() == [1, 0]
    assert found.test.items.tolist() == [0, 1]
    assert (found.unknown_items, found.unknown_rows) == (0, 0)


def test_items_that_train_has_not_get_numbers_beyond_it(tmp_path: Path) -> None:
    found = split(tmp_path, "1,b,1\n1,d,2\n", "9,a,5\n9,d,6\n9,c,7\n9,a,8\n9,zz,9\n")
    assert found.test.items.tolist() == [2, 1, 3, 2, 4]
    assert (found.unknown_items, found.unknown_rows) == (3, 4)


def test_fractions_of_seconds_order_clicks(tmp_path: Path) -> None:
    found = split(tmp_path, "1,b,1.75\n1,a,1.25\n", "9,a,5\n9,b,6\n")
    assert found.train.items.tolist() == [0, 1]
    assert found.train.times.tolist() == [1, 1]


def test_an_item_is_of_the_category_that_train_said_last(tmp_path: Path) -> None:
    train = "1,a,1,old\n1,b,2,\n1,a,3,new\n1,c,4,old\n1,a,5,\n"
    found = split(tmp_path, train, "9,a,6,future\n9,b,7,future\n", "SessionId,ItemId,Time,Category\n")
    assert found.category_of is not None
    assert found.category_of.tolist() == [0, -1, 1]  # new, none, old: nothing is learned from test


def test_what_was_said_last_counts_whichever_session_said_it(tmp_path: Path) -> None:
    found = split(tmp_path, "1,a,9,new\n2,a,3,old\n", "9,a,20,new\n", "SessionId,ItemId,Time,Category\n")
    assert found.category_of is not None
    assert found.category_of.tolist() == [0]  # new


def test_a_sample_has_whole_sessions_and_the_same_train(tmp_path: Path) -> None:
    whole = split(tmp_path, "1,a,1\n", "".join(f"{n},a,{n}\n{n},new{n},{n}\n" for n in range(50)))
    part = whole.sampled(7, np.random.default_rng(1))
    assert (len(part.test), len(part.test.items), part.unknown_items, part.unknown_rows) == (7, 14, 7, 7)
    assert part.train is whole.train
    assert whole.sampled(50, np.random.default_rng(1)) is whole


def test_without_categories_there_are_none(tmp_path: Path) -> None:
    assert split(tmp_path, "1,a,1\n", "9,a,5\n").category_of is None


def test_tells_how_far_train_reaches_into_test(tmp_path: Path) -> None:
    assert split(tmp_path, "1,a,1\n1,a,9\n", "9,a,5\n").overlap_s == 4
    assert split(tmp_path, "1,a,1\n", "9,a,5\n").overlap_s == 0


@pytest.mark.parametrize(("name", "predictions"), [("retailrocket_8d", 2_603), ("rsc15_100k", 10_152)])
def test_standard_splits_have_their_known_sizes(name: str, predictions: int) -> None:
    folder = real_log().parents[1] / "splits"
    found = split_of(*(read_log(folder / f"{name}_{side}.csv.gz") for side in ("train", "test")))
    assert len(found.test.items) - len(found.test) == predictions
    assert found.unknown_items == 0
