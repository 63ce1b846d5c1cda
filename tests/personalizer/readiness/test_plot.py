"""The picture of reliability."""

import math
from xml.etree import ElementTree

import pytest

from personalizer.readiness.plot import LEFT, SIDE, TOP, reliability_svg
from personalizer.readiness.told import Bin, Measured

TRUE = Measured(0.8, 0.1, 0.02, 0.01, [Bin(0.5, 0.1, 0.1, 0.05, 0.15), Bin(0.5, 0.2, 0.2, 0.1, 0.3)])


def test_what_comes_true_lies_on_the_diagonal() -> None:
    picture = ElementTree.fromstring(reliability_svg("A & B", [("model", TRUE), ("rules", TRUE)]))
    dots = [each for each in picture.iter() if each.tag.endswith("circle")]
    assert len(dots) == 4
    for dot in dots:
        assert float(dot.attrib["cx"]) - LEFT == pytest.approx(TOP + SIDE - float(dot.attrib["cy"]))
    assert float(dots[0].attrib["cx"]) == pytest.approx(LEFT)
    assert float(dots[1].attrib["cx"]) == pytest.approx(LEFT + SIDE * math.log(2) / math.log(3), abs=0.1)
    texts = ["".join(each.itertext()) for each in picture.iter() if each.tag.endswith("text")]
    assert "A & B" in texts
    assert "model: AUC 0.800, ECE 0.0100" in texts
    assert {"10%", "30%"} <= set(texts)
    assert "3%" not in texts


def test_what_never_happened_lies_at_the_bottom() -> None:
    never = Measured(0.5, 0.1, 0.02, 0.01, [Bin(1.0, 0.002, 0.0, 0.0, 0.001)])
    picture = ElementTree.fromstring(reliability_svg("", [("rules", never)]))
    (dot,) = [each for each in picture.iter() if each.tag.endswith("circle")]
    assert float(dot.attrib["cy"]) == TOP + SIDE


def test_nothing_to_draw_is_refused() -> None:
    with pytest.raises(ValueError, match="got none"):
        reliability_svg("", [])
