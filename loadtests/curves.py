"""Throughput and latency over offered load: a table, and two charts of one curve as SVG, one above the other. Pure."""

import math
from collections.abc import Callable, Sequence
from html import escape
from typing import Final

from loadtests.figures import rounded, table
from loadtests.steady import Curve, Point

__all__ = ["curve_svg", "curve_table"]

WIDTH, HEIGHT = 760, 500
LEFT, RIGHT, CHART = 62, 690, 170  # the charts' edges, and the height of each
TOPS: Final = (44, 276)
ANSWERED: Final = "#2f7d6d"
LATENCIES: Final = (("p50_ms", "#2f7d6d", "p50"), ("p90_ms", "#b8863b", "p90"), ("p99_ms", "#a8483c", "p99"))
STYLE: Final = (
    "text{fill:#20282c}.title{font-weight:bold;font-size:13px}"
    ".edge{stroke:#9aa5ab;stroke-width:1}.ideal{stroke:#9aa5ab;stroke-dasharray:5 4}"
    "@media(prefers-color-scheme:dark){text{fill:#e4eaed}}"
)
Place = Callable[[float], float]


def curve_table(curve: Curve) -> str:
    """The points of a curve as Markdown."""
    rows = [
        (
            f"{point.share:.0%}", rounded(point.offered), rounded(point.answered), rounded(point.p50_ms),
            rounded(point.p90_ms), rounded(point.p99_ms), rounded(point.load_late_p99_ms),
        )
        for point in curve.points
    ]  # fmt: skip
    headers = ("of saturation", f"offered {curve.what}/s", "answered/s", "p50 ms", "p90 ms", "p99 ms", "load late, p99 ms")
    return table(headers, rows, right=range(7))


def curve_svg(curve: Curve) -> str:
    """Answered above, latencies below (a logarithmic scale), over what was offered. ValueError for less than two points."""
    if len(curve.points) < 2:
        raise ValueError(f"expected two points or more of {curve.name}, got {len(curve.points)}")
    most = max(max(point.offered, point.answered) for point in curve.points)
    x = _linear(most, LEFT, RIGHT)
    what = escape(curve.what)
    title = f"{escape(curve.name)}: {what} answered a second"
    above = _answered(curve.points, x, _linear(most, TOPS[0] + CHART, TOPS[0]), most)
    below = _latencies(curve.points, x)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" font-family="sans-serif" '
        f'font-size="12"><style>{STYLE}</style>'
        f'<text x="0" y="16" class="title">{title}</text>'
        f'{above}<text x="0" y="{TOPS[1] - 20}" class="title">latency since the intended moment, ms</text>'
        f'{below}<text x="{LEFT}" y="{HEIGHT - 6}">offered {what} a second; '
        "dashed: all that was offered</text></svg>\n"
    )


def _linear(most: float, begin: float, end: float) -> Place:
    return lambda value: begin + (end - begin) * value / most


def _answered(points: Sequence[Point], x: Place, y: Place, most: float) -> str:
    ideal = f'<line class="ideal" x1="{x(0):.1f}" y1="{y(0):.1f}" x2="{x(most):.1f}" y2="{y(most):.1f}"/>'
    marks = _marks([most / 2, most], y) + _steps(points, x, TOPS[0])
    return _frame(TOPS[0]) + ideal + marks + _line([(x(p.offered), y(p.answered)) for p in points], ANSWERED)


def _latencies(points: Sequence[Point], x: Place) -> str:
    values = [getattr(point, name) for point in points for name, _, _ in LATENCIES]
    lowest, highest = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    span = max(1, highest - lowest)

    def y(value: float) -> float:
        return TOPS[1] + CHART * (1 - (math.log10(value) - lowest) / span)

    lines = [
        _line([(x(point.offered), y(getattr(point, name))) for point in points], colour) + _key(place, colour, label)
        for place, (name, colour, label) in enumerate(LATENCIES)
    ]
    decades = [10.0**power for power in range(lowest, lowest + span + 1)]
    return _frame(TOPS[1]) + _marks(decades, y) + _steps(points, x, TOPS[1]) + "".join(lines)


def _frame(top: int) -> str:
    bottom = top + CHART
    return (
        f'<line class="edge" x1="{LEFT}" y1="{top}" x2="{LEFT}" y2="{bottom}"/>'
        f'<line class="edge" x1="{LEFT}" y1="{bottom}" x2="{RIGHT}" y2="{bottom}"/>'
    )


def _marks(values: Sequence[float], y: Place) -> str:
    return "".join(
        f'<text x="{LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{rounded(value)}</text>' for value in values
    )


def _steps(points: Sequence[Point], x: Place, top: int) -> str:
    return "".join(
        f'<text x="{x(point.offered):.1f}" y="{top + CHART + 16}" text-anchor="middle">{point.share:.0%}</text>'
        for point in points
    )


def _key(place: int, colour: str, label: str) -> str:
    left, top = LEFT + 300 + place * 70, TOPS[1] - 24
    return f'<circle cx="{left}" cy="{top}" r="4" fill="{colour}"/><text x="{left + 8}" y="{top + 4}">{label}</text>'


def _line(places: Sequence[tuple[float, float]], colour: str) -> str:
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places)
    return f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>{dots}'
