"""The page's figures, from small logs."""

import gzip
from pathlib import Path

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner

from loadtests import offers_report
from loadtests.figures import Figure
from loadtests.offers_generate import generated
from loadtests.offers_report import Report, Run, joined, main, markdown, pooled
from loadtests.offers_split import MEAN
from loadtests.report import BEGIN, END
from personalizer.evaluation.models import evaluated
from tests.personalizer.evaluation.test_split import split

KINDS = ("view", "addtocart", "transaction")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with one standard split and a log with carts, both of a made-up shop."""
    behaviour = generated(300, 60, seed=4).behaviour  # too few to learn trees from, which takes its time
    sessions = np.repeat(np.arange(len(behaviour)), np.diff(behaviour.starts))
    columns = (sessions, behaviour.items, behaviour.times, behaviour.kinds)
    rows = list(zip(*(column.tolist() for column in columns), strict=True))
    (tmp_path / "splits").mkdir()
    (tmp_path / "retailrocket-8d").mkdir()
    for side, part in (("train", rows[:1000]), ("test", rows[1000:])):
        text = "SessionId,ItemId,Time\n" + "".join(f"{session},{item},{at}\n" for session, item, at, _ in part)
        (tmp_path / "splits" / f"retailrocket_7d_{side}.csv.gz").write_bytes(gzip.compress(text.encode()))
    log = "timestamp,visitorid,event,itemid,categoryid\n"
    # A tenth of the time: the last days must hold enough.
    log += "".join(f"{at // 10},{session},{KINDS[kind]},{item},1\n" for session, item, at, kind in rows)
    (tmp_path / "retailrocket-8d" / "events.csv.gz").write_bytes(gzip.compress(log.encode()))
    return tmp_path


@pytest.mark.long
@pytest.mark.timeout(600)
def test_evaluates_what_is_there_and_writes_the_page(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "docs" / "offers.md"
    page.parent.mkdir()
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    monkeypatch.setattr(offers_report, "PAGE", page)
    done = CliRunner().invoke(main, ["--data", str(data), "--only", "quality", "--out", str(tmp_path / "results")])
    assert done.exit_code == 0, done.output
    text = page.read_text()
    assert text.startswith("before\n")
    assert "### RetailRocket, last 7 days" in text
    assert "### What is put in the cart first" in text
    assert "RSC15" not in text
    assert "| `session-knn` |" in text
    assert (page.parent / "offers-reliability.svg").read_text().startswith("<svg")
    file = tmp_path / "results" / "figures.json"
    report = msgspec.json.decode(file.read_bytes(), type=Report)
    assert markdown(report) in done.stdout
    assert report.carts is not None
    assert report.carts.models[0]["first_cart"]["n"] > 5


def test_days_are_pooled_as_different_sessions(tmp_path: Path) -> None:
    found = split(tmp_path, "1,a,1\n1,b,2\n", "9,a,1\n9,b,2\n8,a,3\n8,a,4\n")
    one = evaluated("last-viewed", found, lambda _step, _done: None)
    both = pooled([one, one])
    assert both.whole.sessions.tolist() == [0, 1, 2, 3]
    assert both.whole.ranks.tolist() == one.whole.ranks.tolist() * 2
    assert len(both.fresh.ranks) == 2


def test_a_part_is_measured_anew_and_the_others_are_kept() -> None:
    run = Run("2026-11-22T00:00:00", "measure it", 1.0, {"cpu": "x"}, {"python": "3"})
    fast = Report(figures=[Figure("offers, model", MEAN, 0.25, "CPU ms")])
    report = joined(
        joined(Report(), "quality", fast, run), "large", Report(figures=[Figure("offers, large", "p", 1, "")]), run
    )
    assert [figure.name for figure in report.figures] == [MEAN, "p"]
    slow = Report(figures=[Figure("offers, model", MEAN, 0.75, "CPU ms")])
    report = joined(joined(report, "model", slow, run), "quality", slow, run)  # which measures the model's part as well
    assert {figure.name: figure.value for figure in report.figures} == {MEAN: 0.75, "p": 1}
    assert list(report.runs) == ["quality", "large"]
    text = markdown(report)
    assert "- quality: on 2026-11-22 with `measure it` in 1 s; cpu x; python 3" in text
    assert "| ≤ 0.500 ms of CPU | 0.750 ms of CPU | **no** |" in text
    assert "not measured" not in text
