"""A small large shop, step by step."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from loadtests import offers_scale
from loadtests.client import LoadError
from loadtests.offers_scale import ASKED_P99, FIT_MEMORY, STEPS, main, measure

pytestmark = pytest.mark.timeout(600)  # where nothing is compiled yet, our model waits for the compiler first
SESSIONS, ITEMS = 250, 1_000  # too few to learn trees from, which takes its time


def test_each_step_takes_what_the_one_before_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offers_scale, "ASKED_SESSIONS", 100)
    monkeypatch.setattr(offers_scale, "NOT_COUNTED", 10)
    made, fit, asked = (STEPS[name](tmp_path, SESSIONS, ITEMS) for name in ("generate", "fit", "ask"))
    assert made["rows"] == len(np.load(tmp_path / "behaviour.items.npy")) > SESSIONS
    assert 0 < fit["model_mib"] < fit["most_mib"]
    assert asked["lists"] > 100
    assert 0 < asked["p50_ms"] <= asked["p99_ms"]


def test_a_step_answers_in_one_line_of_json(tmp_path: Path) -> None:
    given = ["--step", "generate", "--folder", str(tmp_path), "--sessions", str(SESSIONS), "--items", str(ITEMS)]
    done = CliRunner().invoke(main, given)
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["rows"] > SESSIONS


def test_a_step_that_fails_is_told(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match=r"(?s)fit of 250 sessions failed: .*behaviour\.starts\.npy"):
        offers_scale._step("fit", tmp_path, SESSIONS, ITEMS)


@pytest.mark.long
def test_measures_in_processes_of_their_own(tmp_path: Path) -> None:
    told: list[str] = []
    figures = {figure.name: figure.value for figure in measure(tmp_path / "scale", SESSIONS, ITEMS, told.append)}
    assert figures[FIT_MEMORY] > 0
    assert figures[ASKED_P99] > 0
    assert len(told) == 3
