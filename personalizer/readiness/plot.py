"""A reliability diagram as SVG that reads on light and dark pages: what was said, and what happened. Pure."""

import math
from collections.abc import Sequence
from html import escape
from typing import Final

from personalizer.readiness.told import Bin, Measured

__all__ = ["reliability_svg"]

WIDTH, HEIGHT = 420, 440
LEFT, TOP, SIDE = 56, 50, 330
Ends = tuple[float, float]
COLOURS: Final = ("#2f7d6d", "#b8863b", "#a8483c")
STEPS: Final = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)  # ends and marks of the scales
STYLE: Final = (
    "text{fill:#20282c}.title{font-weight:bold;font-size:13px}.edge{stroke:#9aa5ab;fill:none}"
    ".true{stroke:#9aa5ab;stroke-dasharray:5 4}@media(prefers-color-scheme:dark){text{fill:#e4eaed}}"
)


def reliability_svg(title: str, lines: Sequence[tuple[str, Measured]]) -> str:
    """One line a predictor, with 95 % intervals; on the dashed one what is said comes true. ValueError without a line.

    Both scales are logarithmic, because most visits are far from buying; what never happened lies at the bottom.
    """
    if not lines:
        raise ValueError("expected a predictor to draw, got none")
    every = [one for _, told in lines for one in told.bins]
    ends = _ends([share for one in every for share in (one.predicted, one.bought) if share > 0])
    drawn = "".join(_line(name, told, place, ends) for place, (name, told) in enumerate(lines))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" font-family="sans-serif" '
        f'font-size="12"><style>{STYLE}</style><text x="0" y="16" class="title">{escape(title)}</text>'
        f'<rect class="edge" x="{LEFT}" y="{TOP}" width="{SIDE}" height="{SIDE}"/>'
        f'<line class="true" x1="{LEFT}" y1="{TOP + SIDE}" x2="{LEFT + SIDE}" y2="{TOP}"/>{_axes(ends)}{drawn}'
        f'<text x="{LEFT + SIDE / 2}" y="{HEIGHT - 10}" text-anchor="middle">readiness that was told</text>'
        f'<text x="14" y="{TOP + SIDE / 2}" text-anchor="middle" transform="rotate(-90 14 {TOP + SIDE / 2})">'
        "share that bought</text></svg>\n"
    )


def _axes(ends: Ends) -> str:
    found = []
    for share in STEPS:
        if ends[0] <= share <= ends[1]:
            x, y = _place(share, share, ends)
            found.append(f'<text x="{x:.1f}" y="{TOP + SIDE + 16}" text-anchor="middle">{share * 100:g}%</text>')
            found.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{share * 100:g}%</text>')
    return "".join(found)


def _line(name: str, told: Measured, place: int, ends: Ends) -> str:
    colour = COLOURS[place % len(COLOURS)]
    points = " ".join("{:.1f},{:.1f}".format(*_place(one.predicted, one.bought, ends)) for one in told.bins)
    label = f"{name}: AUC {told.auc:.3f}, ECE {told.ece:.4f}"
    return (
        f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
        + "".join(_dot(one, colour, ends) for one in told.bins)
        + f'<text x="{LEFT + 8}" y="{TOP + 18 + 17 * place}" style="fill:{colour}">{escape(label)}</text>'
    )


def _dot(one: Bin, colour: str, ends: Ends) -> str:
    x, y = _place(one.predicted, one.bought, ends)
    low, high = _place(one.predicted, one.low, ends)[1], _place(one.predicted, one.high, ends)[1]
    return (
        f'<line x1="{x:.1f}" y1="{low:.1f}" x2="{x:.1f}" y2="{high:.1f}" stroke="{colour}" opacity="0.5"/>'
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>'
    )


def _place(x: float, y: float, ends: Ends) -> tuple[float, float]:
    return LEFT + SIDE * _along(x, ends), TOP + SIDE * (1 - _along(y, ends))


def _along(share: float, ends: Ends) -> float:
    """Where a share lies between the ends, from 0 to 1."""
    within = min(ends[1], max(ends[0], share))
    return math.log(within / ends[0]) / math.log(ends[1] / ends[0])


def _ends(shares: Sequence[float]) -> Ends:
    """The steps below the least and above the greatest share; they are never the same."""
    low = max((step for step in STEPS[:-1] if step <= min(shares, default=1.0)), default=STEPS[0])
    return low, next(step for step in STEPS if step > low and step >= min(1.0, max(shares, default=0.0)))
