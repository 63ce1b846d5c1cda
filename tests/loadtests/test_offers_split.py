"""Costs of a model on a log."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from loadtests.offers_generate import generated
from loadtests.offers_split import FIT, MEAN, P99, main, measure, real_split

pytestmark = pytest.mark.timeout(600)  # where nothing is compiled yet, our model waits for the compiler first


def log_files(folder: Path) -> tuple[Path, Path]:
    """A generated shop's views, early and late."""
    behaviour = generated(300, 60, seed=4).behaviour  # too few to learn trees from, which takes its time
    files = folder / "train.csv", folder / "test.csv"
    for file, part in zip(files, (behaviour.part(0, 250), behaviour.part(250, 300)), strict=True):
        sessions = np.repeat(np.arange(len(part)), np.diff(part.starts))
        rows = [f"{session},{item},{time}" for session, item, time in zip(sessions, part.items, part.times, strict=True)]
        file.write_text("\n".join(["SessionId,ItemId,Time", *rows]))
    return files


def test_measures_learning_and_lists(tmp_path: Path) -> None:
    told: list[str] = []
    figures = {figure.name: figure.value for figure in measure(*log_files(tmp_path), told.append)}
    assert figures[FIT] > 0
    assert 0 < figures[MEAN] <= figures[P99] * 5
    assert 0 < figures["MRR@20 of that model"] < figures["HR@20 of that model"] <= 1
    assert "offers, model: learning again" in told


def test_the_command_shows_a_table(tmp_path: Path) -> None:
    train, test = log_files(tmp_path)
    done = CliRunner().invoke(main, ["--train", str(train), "--test", str(test)])
    assert done.exit_code == 0, done.output
    assert f"| {FIT} |" in done.stdout


def test_the_real_log_is_found_or_not_there() -> None:
    found = real_split()
    assert found is None or all(file.exists() for file in found)
