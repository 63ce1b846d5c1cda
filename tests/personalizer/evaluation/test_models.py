"""Fitting by name."""

from pathlib import Path

import pytest

from personalizer.evaluation.models import MODELS, OURS, evaluated, worth_playing
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


def test_what_train_cannot_teach_is_not_played(tmp_path: Path) -> None:
    assert "bought-together" not in worth_playing(split(tmp_path, TRAIN, TEST))
    told = split(tmp_path, "1,a,1,view\n1,a,2,cart\n", "9,a,1,view\n", "SessionId,ItemId,Time,Kind\n")
    assert worth_playing(told) == tuple(MODELS)


def test_ours_learns_and_ranks(tmp_path: Path) -> None:
    train = "".join(
        f"{n},{a},{n}\n{n},{b},{n + 1}\n" for n in range(60) for a, b in [("lamp", "bulb"), ("phone", "case")][n % 2 :][:1]
    )
    found = evaluated(
        OURS, split(tmp_path, train, "x,lamp,99\nx,bulb,100\ny,phone,99\ny,case,100\n"), lambda _step, _done: None
    )
    assert (found.fresh.ranks > 0).all()
    assert (found.fresh.ranks <= 2).all()
