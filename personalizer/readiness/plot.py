"""A reliability diagram as SVG that reads on light and dark pages: what was said, and what happened. Pure."""

from collections.abc import Sequence
from html import escape
from typing import Final

from personalizer.readiness.measures import Bin, Measured

__all__ = ["reliability_svg"]

WIDTH, HEIGHT = 420, 440
LEFT, TOP, SIDE = 56, 50, 330
COLOURS: Final = ("#2f7d6d", "#b8863b", "#a8483c")
STEPS: Final = (0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5, 1.0)
STYLE: Final = (
    "text{fill:#20282c}.title{font-weight:bold;font-size:13px}.edge{stroke:#9aa5ab;fill:none}"
    ".true{stroke:#9aa5ab;stroke-dasharray:5 4}@media(prefers-color-scheme:dark){text{fill:#e4eaed}}"
)


def reliability_svg(title: str, lines: Sequence[tuple[str, Measured]]) -> str:
    """One line a predictor, with 95 % intervals; on the dashed one what is said comes true. ValueError without a line."""
    if not lines:
        raise ValueError("expected a predictor to draw, got none")
    every = [one for _, told in lines for one in told.bins]
    most = _round_up(max(max(one.predicted, one.bought) for one in every))
    drawn = "".join(_line(name, told, place, most) for place, (name, told) in enumerate(lines))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" font-family="sans-serif" '
        f'font-size="12"><style>{STYLE}</style><text x="0" y="16" class="title">{escape(title)}</text>'
        f'<rect class="edge" x="{LEFT}" y="{TOP}" width="{SIDE}" height="{SIDE}"/>'
        f'<line class="true" x1="{LEFT}" y1="{TOP + SIDE}" x2="{LEFT + SIDE}" y2="{TOP}"/>{_axes(most)}{drawn}'
        f'<text x="{LEFT + SIDE / 2}" y="{HEIGHT - 10}" text-anchor="middle">readiness that was told</text>'
        f'<text x="14" y="{TOP + SIDE / 2}" text-anchor="middle" transform="rotate(-90 14 {TOP + SIDE / 2})">'
        "share that bought</text></svg>\n"
    )


def _axes(most: float) -> str:
    found = []
    for n in range(5):
        share = most * n / 4
        x, y = _place(share, share, most)
        found.append(f'<text x="{x:.1f}" y="{TOP + SIDE + 16}" text-anchor="middle">{share:.0%}</text>')
        found.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{share:.0%}</text>')
    return "".join(found)


def _line(name: str, told: Measured, place: int, most: float) -> str:
    colour = COLOURS[place % len(COLOURS)]
    points = " ".join("{:.1f},{:.1f}".format(*_place(one.predicted, one.bought, most)) for one in told.bins)
    label = f"{name}: AUC {told.auc:.3f}, ECE {told.ece:.4f}"
    return (
        f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
        + "".join(_dot(one, colour, most) for one in told.bins)
        + f'<text x="{LEFT + 8}" y="{TOP + 18 + 17 * place}" style="fill:{colour}">{escape(label)}</text>'
    )


def _dot(one: Bin, colour: str, most: float) -> str:
    x, y = _place(one.predicted, one.bought, most)
    low, high = _place(one.predicted, one.low, most)[1], _place(one.predicted, min(one.high, most), most)[1]
    return (
        f'<line x1="{x:.1f}" y1="{low:.1f}" x2="{x:.1f}" y2="{high:.1f}" stroke="{colour}" opacity="0.5"/>'
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>'
    )


def _place(x: float, y: float, most: float) -> tuple[float, float]:
    return LEFT + SIDE * x / most, TOP + SIDE * (1 - y / most)


def _round_up(share: float) -> float:
    return next(step for step in STEPS if step >= min(1.0, share))
