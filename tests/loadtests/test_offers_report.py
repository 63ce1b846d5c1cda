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
from loadtests.offers_report import Report, main, markdown, pooled
from loadtests.offers_split import MEAN
from loadtests.report import BEGIN, END
from personalizer.evaluation.models import evaluated
from tests.personalizer.evaluation.test_split import split

KINDS = ("view", "addtocart", "transaction")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with one standard split and a log with carts, both of a made-up shop."""
    behaviour = generated(600, 60, seed=4).behaviour
    sessions = np.repeat(np.arange(len(behaviour)), np.diff(behaviour.starts))
    columns = (sessions, behaviour.items, behaviour.times, behaviour.kinds)
    rows = list(zip(*(column.tolist() for column in columns), strict=True))
    (tmp_path / "splits").mkdir()
    (tmp_path / "retailrocket-8d").mkdir()
    for side, part in (("train", rows[:2000]), ("test", rows[2000:])):
        text = "SessionId,ItemId,Time\n" + "".join(f"{session},{item},{at}\n" for session, item, at, _ in part)
        (tmp_path / "splits" / f"retailrocket_7d_{side}.csv.gz").write_bytes(gzip.compress(text.encode()))
    log = "timestamp,visitorid,event,itemid,categoryid\n"
    # A tenth of the time: the last days must hold enough.
    log += "".join(f"{at // 10},{session},{KINDS[kind]},{item},1\n" for session, item, at, kind in rows)
    (tmp_path / "retailrocket-8d" / "events.csv.gz").write_bytes(gzip.compress(log.encode()))
    return tmp_path


def test_evaluates_what_is_there_and_writes_the_page(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "docs" / "offers.md"
    page.parent.mkdir()
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    monkeypatch.setattr(offers_report, "PAGE", page)
    done = CliRunner().invoke(main, ["--data", str(data), "--no-speed", "--out", str(tmp_path / "results")])
    assert done.exit_code == 0, done.output
    text = page.read_text()
    assert text.startswith("before\n")
    assert "### RetailRocket, last 7 days" in text
    assert "### What is put in the cart first" in text
    assert "RSC15" not in text
    assert "| `session-knn` |" in text
    assert (page.parent / "offers-reliability.svg").read_text().startswith("<svg")
    (file,) = (tmp_path / "results").glob("offers-*.json")
    report = msgspec.json.decode(file.read_bytes(), type=Report)
    assert markdown(report) in done.stdout
    assert report.carts is not None
    assert report.carts.models[0]["first_cart"]["n"] > 10


def test_days_are_pooled_as_different_sessions(tmp_path: Path) -> None:
    found = split(tmp_path, "1,a,1\n1,b,2\n", "9,a,1\n9,b,2\n8,a,3\n8,a,4\n")
    one = evaluated("last-viewed", found, lambda _step, _done: None)
    both = pooled([one, one])
    assert both.whole.sessions.tolist() == [0, 1, 2, 3]
    assert both.whole.ranks.tolist() == one.whole.ranks.tolist() * 2
    assert len(both.fresh.ranks) == 2


def test_speed_is_held_against_its_targets() -> None:
    report = Report("2026-11-22T00:00:00", "x", 1.0, {}, {}, [], None, [Figure("offers, model", MEAN, 0.25, "CPU ms")])
    text = markdown(report)
    assert "| ≤ 0.500 ms of CPU | 0.250 ms of CPU | yes |" in text
    assert "not measured" not in text
