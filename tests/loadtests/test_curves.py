from xml.etree import ElementTree

import pytest

from loadtests.curves import ANSWERED, curve_svg, curve_table
from loadtests.steady import Curve, Point

CURVE = Curve(
    "collector",
    "<events>",
    [
        Point(0.1, 1_000, 1_000, 0.5, 0.8, 1.2, 0.1),
        Point(0.5, 5_000, 5_000, 0.6, 1.0, 4.0, 0.1),
        Point(1.1, 11_000, 9_500, 90, 150, 400, 0.2),
    ],
)


def lines(svg: str) -> dict[str, list[tuple[float, float]]]:
    """Colour and place among its likes → its places."""
    found: dict[str, list[tuple[float, float]]] = {}
    for number, line in enumerate(each for each in ElementTree.fromstring(svg) if each.tag.endswith("polyline")):
        pairs = [pair.split(",") for pair in line.attrib["points"].split()]
        found[f"{line.attrib['stroke']}-{number}"] = [(float(x), float(y)) for x, y in pairs]
    return found


def test_draws_answered_and_three_latencies_over_what_was_offered() -> None:
    drawn = lines(curve_svg(CURVE))
    assert len(drawn) == 4
    x = [place[0] for place in drawn[f"{ANSWERED}-0"]]
    assert x[1] - x[0] == pytest.approx((x[2] - x[0]) * 0.4, abs=0.2)
    for places in drawn.values():
        assert [place[0] for place in places] == x


def test_higher_is_more_and_latencies_are_logarithmic() -> None:
    answered, p50, _, p99 = lines(curve_svg(CURVE)).values()
    assert answered[0][1] > answered[1][1] > answered[2][1]
    assert p99[2][1] < p50[2][1]
    # 4 → 400 ms are two decades, 0.6 → 0.5 hardly any.
    assert p99[1][1] - p99[2][1] > 10 * abs(p50[0][1] - p50[1][1])


def test_everything_stays_in_the_picture() -> None:
    root = ElementTree.fromstring(curve_svg(CURVE))
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    for places in lines(curve_svg(CURVE)).values():
        assert all(0 < x < width and 0 < y < height for x, y in places)


def test_refuses_to_draw_a_point() -> None:
    with pytest.raises(ValueError, match="two points"):
        curve_svg(Curve("collector", "events", CURVE.points[:1]))


def test_table_has_a_line_for_each_load() -> None:
    rows = curve_table(CURVE).splitlines()
    assert rows[2] == "| 10% | 1,000 | 1,000 | 0.500 | 0.800 | 1.20 | 0.100 |"
    assert len(rows) == 5
