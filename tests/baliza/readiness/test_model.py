"""Learned models as they are read from files."""

import math
from typing import Any

import msgspec
import pytest

from baliza.readiness.features import Features
from baliza.readiness.model import (
    FORMAT,
    Bins,
    BrokenReadiness,
    Calibration,
    ReadinessFile,
    ReadinessModel,
    Tree,
    Trees,
    decode,
    scored,
)
from tests.baliza.readiness.visits import seen

PIECES = Features._fields.index("cart_pieces")
STUMP = Tree([PIECES, -1, -1], [0.5, 0, 0], [1, 0, 0], [2, 0, 0], [0, -2.0, 1.0])


def bins(**given: tuple[list[float], list[float]]) -> Bins:
    pairs = [given.get(name, ([], [0.0])) for name in Features._fields]
    return Bins(-1.0, [edges for edges, _ in pairs], [weights for _, weights in pairs])


def file(**given: Any) -> ReadinessFile:
    whole: dict[str, Any] = {
        "format": FORMAT, "version": "1", "site": "demo", "trained_at": "", "basis": "model", "why": "",
        "features": list(Features._fields), "model": Trees(-1.0, [STUMP]), "calibration": Calibration(),
    }  # fmt: skip
    return ReadinessFile(**whole | given)


def test_trees_add_up_what_their_leaves_say() -> None:
    deep = Tree([0, PIECES, -1, -1, -1], [3.0, 0.5, 0, 0, 0], [1, 2, 0, 0, 0], [4, 3, 0, 0, 0], [0, 0, 0.25, 0.5, 4.0])
    score = scored(Trees(-1.0, [STUMP, deep]))
    assert score(seen(events=3)) == -1 - 2 + 0.25  # on the threshold is left
    assert score(seen(events=3, cart_pieces=1)) == -1 + 1 + 0.5
    assert score(seen(events=4)) == -1 - 2 + 4


def test_bins_weigh_each_feature() -> None:
    score = scored(bins(events=([2.0, 5.0], [0.1, 0.2, 0.4]), known=([0.5], [0.0, 8.0])))
    assert [score(seen(events=n)) for n in (1, 2, 4.9, 5)] == pytest.approx([-0.9, -0.8, -0.8, -0.6])
    assert score(seen(known=1)) == pytest.approx(7.1)


def test_calibration_by_points_and_by_curve() -> None:
    points = Calibration([-1.0, 0.0, 1.0], [0.1, 0.1, 0.5], least=0.05, most=0.45)
    assert [points(z) for z in (-9, -1, 0, 0.5, 1, 9)] == pytest.approx([0.1, 0.1, 0.1, 0.3, 0.45, 0.45])
    curve = Calibration(slope=-2.0, shift=1.0)
    assert curve(0.5) == pytest.approx(0.5)
    assert curve(1.5) == pytest.approx(1 / (1 + math.exp(-2)))
    assert 0 <= curve(-1e9) < curve(1e9) <= 1


def test_a_file_comes_back_as_it_was_written() -> None:
    for model in (Trees(-1.0, [STUMP]), bins(events=([1 / 3], [0.1, 1e-17]))):
        assert decode(msgspec.json.encode(file(model=model))) == file(model=model)


def test_a_model_answers_calibrated() -> None:
    model = ReadinessModel.of_file(file())
    assert model is not None
    assert model.probability(seen()) == pytest.approx(1 / (1 + math.exp(3)))
    assert model.probability(seen(cart_pieces=1)) == pytest.approx(0.5)


def test_a_file_that_says_rules_has_no_model() -> None:
    assert ReadinessModel.of_file(file(basis="rules", model=None, calibration=None)) is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"format": 99}, "expected format 1, got 99"),
        ({"features": ["events"]}, "other features"),
        ({"model": None}, "no model"),
        ({"calibration": Calibration([0.0, -1.0], [0.1, 0.2])}, "calibration does not fit"),
        ({"calibration": Calibration([0.0], [0.1, 0.2])}, "calibration does not fit"),
        ({"calibration": Calibration(least=-1.0)}, "calibration does not fit"),
        ({"model": Trees(0.0, [Tree([], [], [], [], [])])}, "different lengths"),
        ({"model": Trees(0.0, [Tree([0, -1], [0, 0], [0, 0], [1, 0], [0, 0])])}, "leads nowhere"),
        ({"model": Trees(0.0, [Tree([0, -1], [0, 0], [1, 0], [7, 0], [0, 0])])}, "leads nowhere"),
        ({"model": Trees(0.0, [Tree([99, -1, -1], [0, 0, 0], [1, 0, 0], [2, 0, 0], [0, 0, 0])])}, "leads nowhere"),
        ({"model": Trees(math.inf, [])}, "no number to count with"),
        ({"model": Bins(0.0, [], [])}, "other features"),
        ({"model": bins(events=([2.0, 1.0], [0.0, 0.0, 0.0]))}, "do not fit together"),
        ({"model": bins(events=([2.0], [0.0]))}, "do not fit together"),
    ],
)
def test_what_does_not_fit_together_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(BrokenReadiness, match=said):
        ReadinessModel.of_file(file(**given))


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b'{"format": "x"}', b"[1]"])
def test_what_is_no_file_is_refused(content: bytes) -> None:
    with pytest.raises(BrokenReadiness, match="cannot be read"):
        decode(content)
