"""From visitors to sessions, and what is known of a real shop's carts."""

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from loadtests.offers_real import HEADER, last_second, main, sessions_of, written
from personalizer.evaluation.baselines import LastViewed
from personalizer.evaluation.log import read_log
from personalizer.evaluation.metrics import hit_rate
from personalizer.evaluation.protocol import first_carts, play
from personalizer.evaluation.split import split_of
from tests.support.real_log import real_log

LOG = "timestamp,visitorid,event,itemid,categoryid\n"
ROWS = "100,v,view,a,1\n1900,v,addtocart,a,1\n1900,v,view,b,\n3701,v,view,a,1\n150,w,view,b,2\n2000,w,transaction,b,2\n"


def log_file(folder: Path, rows: str = ROWS) -> Path:
    file = folder / "events.csv.gz"
    file.write_bytes(gzip.compress((LOG + rows).encode()))
    return file


def test_a_visit_ends_after_thirty_idle_minutes() -> None:
    found = list(sessions_of(csv.DictReader((LOG + ROWS).splitlines())))
    assert [[row[1:4] for row in session] for session in found] == [
        [("a", 100, "view"), ("a", 1900, "addtocart"), ("b", 1900, "view")],
        [("a", 3701, "view")],
        [("b", 150, "view")],
        [("b", 2000, "transaction")],
    ]
    assert [session[0][0] for session in found] == ["v-0", "v-1", "w-0", "w-1"]


def test_a_session_over_the_cut_teaches_what_came_before(tmp_path: Path) -> None:
    assert written(log_file(tmp_path), 1_950, tmp_path / "out") == (4, 2)
    assert written(log_file(tmp_path), 1_000, tmp_path / "out") == (2, 2)
    rows = list(csv.reader((tmp_path / "out" / "train.csv").read_text().splitlines()))
    assert rows == [list(HEADER), ["v-0", "a", "100", "view", "1"], ["w-0", "b", "150", "view", "2"]]


def test_test_may_end_before_the_log_does(tmp_path: Path) -> None:
    assert written(log_file(tmp_path), 1_000, tmp_path / "out", 3_000) == (2, 1)
    assert last_second(log_file(tmp_path)) == 3_701


def test_what_is_written_can_be_evaluated(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, [str(log_file(tmp_path)), "--cut", "1970-01-01T00:20:00Z", "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert "2 rows of train, 2 of test" in done.output
    assert read_log(tmp_path / "test.csv").kinds.tolist() == [0, 2]


def test_a_cut_that_is_no_instant_is_told(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, [str(log_file(tmp_path)), "--cut", "noon", "--out", str(tmp_path)])
    assert done.exit_code == 2
    assert "expected an instant such as 2015-09-16T03:00:00Z, got 'noon'" in done.output


@pytest.mark.long
def test_what_was_viewed_last_is_carted_first_in_most_visits_of_a_real_shop(tmp_path: Path) -> None:
    assert written(real_log(), 0, tmp_path)[0] == 0
    log = read_log(tmp_path / "test.csv")
    whole, fresh = play(LastViewed(), split_of(log, log), first_carts)
    assert len(whole.ranks) == pytest.approx(1_544, abs=5)
    assert hit_rate(whole.ranks, 1) == pytest.approx(0.877, abs=0.005)
    assert np.count_nonzero(fresh.ranks) == 0
    assert 0.05 < len(fresh.ranks) / len(whole.ranks) < 0.15
