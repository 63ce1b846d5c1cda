"""Fitting by name."""

from pathlib import Path

import pytest

from personalizer.evaluation.models import MODELS, evaluated
from tests.personalizer.evaluation.test_scores import TEST, TRAIN
from tests.personalizer.evaluation.test_split import split


@pytest.mark.parametrize("name", ["last-viewed", "best-sellers", "together", "session-knn"])
def test_fits_and_plays_by_name(name: str, tmp_path: Path) -> None:
    told: list[tuple[str, float]] = []
    found = evaluated(name, split(tmp_path, TRAIN, TEST), lambda step, done: told.append((step, done)))
    assert (found.model, len(found.whole.ranks), len(found.fresh.ranks)) == (name, 4, 3)
    assert found.about["train_sessions"] == 1
    assert told[-1] == (f"{name}: predicting", 1.0)
    assert found.fit_s >= 0


def test_simple_models_can_be_named() -> None:
    assert {"last-viewed", "best-sellers", "recent-best-sellers", "together", "session-knn"} <= MODELS.keys()
