"""Pictures of an evaluation as SVG that reads on light and dark pages. Pure."""

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

import numpy as np

from personalizer.evaluation import metrics
from personalizer.evaluation.baselines import BASELINES
from personalizer.evaluation.protocol import Played
from personalizer.evaluation.scores import first_forecasts, scores

__all__ = ["bars_svg", "latency_svg", "reliability_svg"]

OURS, OTHERS, EDGE = "#2f7d6d", "#9aa5ab", "#9aa5ab"
STYLE: Final = (
    "text{fill:#20282c}.title{font-weight:bold}.edge{stroke:#9aa5ab}.ideal{stroke:#9aa5ab;stroke-dasharray:5 4}"
    ".error{stroke:#20282c}@media(prefers-color-scheme:dark){text{fill:#e4eaed}.error{stroke:#e4eaed}}"
)
ROW, LABEL_WIDTH, BAR_WIDTH, GAP = 24, 170, 250, 90
SQUARE, LEFT, TOP = 300, 60, 50
LATENCY_BINS: Final = 10  # a decade of milliseconds


def bars_svg(title: str, played: Mapping[str, Played]) -> str:
    """HR@20 and MRR@20 side by side, a bar a model with one standard error either way. ValueError without models."""
    if not played:
        raise ValueError("expected one model or more, got none")
    found = {name: scores(one) for name, one in played.items()}
    parts = [_text(0, 16, title, "title")]
    for column, metric in enumerate(("hr@20", "mrr@20")):
        left = LABEL_WIDTH + column * (BAR_WIDTH + GAP)
        most = max([figures[metric] for figures in found.values() if not math.isnan(figures[metric])] or [0]) or 1.0
        parts.append(_text(left, 40, metric.upper(), "title"))
        for place, (name, figures) in enumerate(found.items()):
            parts.append(_bar(name, figures, metric, left, 50 + ROW * place, BAR_WIDTH / most))
    parts += [_text(0, 66 + ROW * place, name) for place, name in enumerate(found)]
    return _svg(LABEL_WIDTH + 2 * (BAR_WIDTH + GAP), 60 + ROW * len(found), parts)


def _bar(name: str, figures: Mapping[str, float], metric: str, left: float, top: float, scale: float) -> str:
    value, error = figures[metric], figures[f"{metric}_se"]
    if math.isnan(value):
        return _text(left, top + 16, "–")
    width = max(1.0, value * scale)
    low, high = (left + max(0.0, value + sign * (0 if math.isnan(error) else error)) * scale for sign in (-1, 1))
    middle = top + 11
    return (
        f'<rect x="{left}" y="{top + 3}" width="{width:.1f}" height="{ROW - 7}" fill="{_colour(name)}"/>'
        f'<line class="error" x1="{low:.1f}" y1="{middle}" x2="{high:.1f}" y2="{middle}"/>'
        f"{_text(max(left + width, high) + 6, top + 16, f'{value:.3f}')}"
    )


def reliability_svg(title: str, played: Mapping[str, Played]) -> str:
    """What models claimed for their first item against how often it came; dot by size of bin, dashed: as it should be.

    ValueError when no model claims anything.
    """
    claims = {name: metrics.reliability(*first_forecasts(one)) for name, one in played.items()}
    claims = {name: found for name, found in claims.items() if len(found.size)}
    if not claims:
        raise ValueError("expected a model that claims probabilities, got none")
    parts = [_text(0, 16, title, "title"), _frame(), _line(0, 0, 1, 1, "ideal")]
    for place, (name, found) in enumerate(claims.items()):
        points = list(zip(found.forecast.tolist(), found.came_true.tolist(), found.size.tolist(), strict=True))
        colour = _colour(name)
        line = " ".join(f"{_x(forecast):.1f},{_y(came_true):.1f}" for forecast, came_true, _ in points)
        dots = "".join(f'<circle cx="{_x(p):.1f}" cy="{_y(q):.1f}" r="4" fill="{colour}"/>' for p, q, _ in points)
        legend = f"{name}: ECE {metrics.calibration_error(found):.3f}"
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>{dots}')
        parts.append(_text(LEFT + 12, TOP + 18 + 18 * place, legend))
    parts.append(_text(LEFT, TOP + SQUARE + 40, "claimed that the first item comes next (bins of equal size)"))
    parts.append(_text(0, TOP - 12, "how often it did"))
    parts += [_text(LEFT - 8, _y(at) + 4, f"{at:g}", anchor="end") for at in (0, 0.5, 1)]
    parts += [_text(_x(at), TOP + SQUARE + 18, f"{at:g}", anchor="middle") for at in (0, 0.5, 1)]
    return _svg(LEFT + SQUARE + 80, TOP + SQUARE + 50, parts)


def latency_svg(title: str, name: str, played: Played) -> str:
    """Histogram of one model's processor time a list, on a logarithmic scale, with median and 99th percentile.

    ValueError without predictions.
    """
    if not len(played.cpu_ns):
        raise ValueError("expected predictions, got none")
    took = np.maximum(played.cpu_ns / 1e6, 1e-4)
    low, high = math.floor(math.log10(took.min())), math.ceil(math.log10(took.max()) + 1e-9)
    high = max(high, low + 1)
    counts, edges = np.histogram(np.log10(took), np.linspace(low, high, (high - low) * LATENCY_BINS + 1))
    step = 2 * SQUARE / (high - low)
    bars = [
        f'<rect x="{LEFT + (edge - low) * step:.1f}" y="{TOP + SQUARE * (1 - count / counts.max()):.1f}" '
        f'width="{step / LATENCY_BINS - 1:.1f}" height="{SQUARE * count / counts.max():.1f}" fill="{_colour(name)}"/>'
        for count, edge in zip(counts.tolist(), edges.tolist(), strict=False)
        if count
    ]
    marks = [
        _text(LEFT + (at - low) * step, TOP + SQUARE + 18, f"{10.0**at:g}", anchor="middle") for at in range(low, high + 1)
    ]
    found = scores(played)
    lines = [
        f'<line class="ideal" x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{TOP + SQUARE}"/>'
        + _text(x + 4, top, f"{label} {ms:.2f}")
        for label, ms, top in (("p50", found["p50_ms"], TOP + 12), ("p99", found["p99_ms"], TOP + 28))
        for x in [LEFT + (math.log10(max(ms, 1e-4)) - low) * step]
    ]
    axis = f'<line class="edge" x1="{LEFT}" y1="{TOP + SQUARE}" x2="{LEFT + 2 * SQUARE}" y2="{TOP + SQUARE}"/>'
    about = _text(LEFT, TOP + SQUARE + 40, f"ms of processor time a list, {name}, {len(took):,} lists")
    return _svg(
        LEFT + 2 * SQUARE + 80, TOP + SQUARE + 50, [_text(0, 16, title, "title"), axis, *bars, *lines, *marks, about]
    )


def _colour(name: str) -> str:
    return OTHERS if name in BASELINES else OURS


def _x(share: float) -> float:
    return LEFT + SQUARE * share


def _y(share: float) -> float:
    return TOP + SQUARE * (1 - share)


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{_x(x1)}" y1="{_y(y1)}" x2="{_x(x2)}" y2="{_y(y2)}"/>'


def _frame() -> str:
    return _line(0, 0, 1, 0, "edge") + _line(0, 0, 0, 1, "edge")


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    marked = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{marked}>{escape(text)}</text>'


def _svg(width: float, height: float, parts: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" font-family="sans-serif" '
        f'font-size="13"><style>{STYLE}</style>{"".join(parts)}</svg>\n'
    )
