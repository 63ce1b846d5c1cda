from xml.etree import ElementTree

import pytest

from loadtests.collecting import PART, UNIT
from loadtests.figures import Figure
from loadtests.plot import OTHERS, OURS, costs_svg

FIGURES = [
    Figure(PART, "F: empty <Flask> view", 400.0, UNIT),
    Figure(PART, "collector, 1 event", 100.0, UNIT),
    Figure(PART, "collector: cheaper than F", 4.0, "×"),
    Figure("ingest", "carried", 9.0, "events/s"),
]


def test_draws_a_bar_for_each_cost_in_proportion() -> None:
    root = ElementTree.fromstring(costs_svg(FIGURES))
    bars = [element for element in root if element.tag.endswith("rect")]
    widths = [float(bar.attrib["width"]) for bar in bars]
    assert [bar.attrib["fill"] for bar in bars] == [OURS, OTHERS]
    assert widths[1] == pytest.approx(4 * widths[0], rel=0.01)


def test_names_and_numbers_are_written() -> None:
    words = [element.text for element in ElementTree.fromstring(costs_svg(FIGURES)) if element.tag.endswith("text")]
    assert "F: empty <Flask> view" in words
    assert "400" in words


def test_refuses_to_draw_nothing() -> None:
    with pytest.raises(ValueError, match="got none"):
        costs_svg(FIGURES[2:])
