from pathlib import Path

import pytest

from loadtests import loading
from loadtests.steady import Point

SLOW, FAST = Point(0.5, 100, 100, 2.0, 4.0, 9.0, 0.3), Point(0.5, 100, 100, 1.0, 2.0, 3.0, 0.1)


def test_half_of_saturation_is_told_as_the_median_of_rounds() -> None:
    figures = loading.at_half("latency", [SLOW, FAST, FAST])
    assert [(figure.value, figure.rounds) for figure in figures] == [
        (1.0, (2.0, 1.0, 1.0)),
        (2.0, (4.0, 2.0, 2.0)),
        (3.0, (9.0, 3.0, 3.0)),
    ]
    assert "late by 0.100 ms" in figures[0].note


@pytest.mark.network
@pytest.mark.redis
@pytest.mark.long
def test_offers_a_collector_shares_of_what_it_can(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "SHARES", (0.1, 0.5))
    figures, curve = loading.measure(tmp_path, 1, 0.3, lambda _text: None)
    most = figures[0].value
    assert most > 100
    assert [point.share for point in curve.points] == [0.1, 0.5]
    assert curve.points[1].offered == pytest.approx(most / 2)
    assert {figure.name for figure in figures} == {
        loading.SATURATION,
        *(f"p{rank}, {loading.HALF}" for rank in (50, 90, 99)),
    }
