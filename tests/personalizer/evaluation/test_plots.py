"""Pictures: well-formed, to scale, and with the figures that the tables have."""

import math
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from personalizer.evaluation.plots import OTHERS, OURS, bars_svg, latency_svg, reliability_svg
from personalizer.evaluation.protocol import MOST, Played
from tests.personalizer.evaluation.test_scores import played

SVG = "{http://www.w3.org/2000/svg}"


def parts(svg: str, name: str) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(svg).iter(SVG + name))


def texts(svg: str) -> str:
    return " ".join(part.text or "" for part in parts(svg, "text"))


def claiming(forecasts: list[float], outcomes: list[int]) -> Played:
    """Lists whose first item was claimed with these probabilities, and came next or not."""
    count = len(forecasts)
    probabilities = np.full((count, MOST), np.nan, np.float32)
    probabilities[:, 0] = forecasts
    return Played(
        sessions=np.arange(count), ranks=np.array(outcomes), found=np.array(outcomes), remaining=np.ones(count, np.int64),
        popularity=np.ones(count), cpu_ns=np.full(count, 500_000), probabilities=probabilities, shown=np.ones(3, np.int64),
    )  # fmt: skip


def test_bars_are_as_long_as_the_figures_and_ours_stands_out(tmp_path: Path) -> None:
    svg = bars_svg("A & B", {"baliza": played(tmp_path, [1, 2])[0], "together": played(tmp_path, [0])[0]})
    bars = parts(svg, "rect")
    assert [bar.get("fill") for bar in bars] == [OURS, OTHERS] * 2
    widths = [float(bar.get("width", "0")) for bar in bars]
    assert widths[1] / widths[0] == pytest.approx((1 / 4) / (3 / 4), abs=0.01)
    assert "A & B" in texts(svg)
    assert "0.750" in texts(svg)


def test_a_model_without_predictions_has_a_dash(tmp_path: Path) -> None:
    none = replace(claiming([], []), probabilities=np.zeros((0, MOST), np.float32))
    assert "–" in texts(bars_svg("none", {"together": none}))


def test_reliability_shows_claims_against_what_came() -> None:
    svg = reliability_svg("sure?", {"baliza": claiming([0.2] * 10 + [0.8] * 10, [0] * 10 + [1] * 10)})
    dots = [(float(dot.get("cx", "0")), float(dot.get("cy", "0"))) for dot in parts(svg, "circle")]
    assert dots[0] == (pytest.approx(60 + 300 * 0.2, abs=0.1), pytest.approx(350, abs=0.1))  # claimed 0.2, never came
    assert dots[-1] == (pytest.approx(60 + 300 * 0.8, abs=0.1), pytest.approx(50, abs=0.1))  # claimed 0.8, always came
    assert "baliza: ECE 0.200" in texts(svg)


def test_without_claims_there_is_no_reliability() -> None:
    with pytest.raises(ValueError, match="claims probabilities"):
        reliability_svg("sure?", {"together": claiming([math.nan], [1])})


def test_latency_counts_every_list() -> None:
    one = claiming([0.5] * 4, [1] * 4)
    svg = latency_svg("time", "baliza", replace(one, cpu_ns=np.array([100_000, 100_000, 100_000, 5_000_000])))
    heights = [float(bar.get("height", "0")) for bar in parts(svg, "rect")]
    assert heights == [300.0, 100.0]
    assert "p50 0.10" in texts(svg)
    assert "p99 5.00" in texts(svg)


def test_lists_that_took_no_time_can_be_drawn() -> None:
    assert "p50 0.00" in texts(latency_svg("time", "baliza", replace(claiming([0.5], [1]), cpu_ns=np.array([0]))))
