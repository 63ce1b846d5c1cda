"""One picture: bars of CPU per event, drawn as SVG that reads on light and dark pages. Pure."""

from collections.abc import Sequence
from html import escape
from typing import Final

from loadtests.collecting import COLLECTOR, PART, UNIT
from loadtests.figures import Figure, rounded

__all__ = ["costs_svg"]

WIDTH: Final = 820
LABEL_WIDTH: Final = 430
NUMBER_WIDTH: Final = 70
ROW: Final = 26
OURS, OTHERS = "#2f7d6d", "#9aa5ab"


def costs_svg(figures: Sequence[Figure]) -> str:
    """Horizontal bars of what an event costs at the collector, at F and at N, cheapest first. ValueError without them."""
    costs = sorted((one for one in figures if (one.part, one.unit) == (PART, UNIT)), key=lambda one: one.value)
    if not costs:
        raise ValueError(f"expected figures of the part {PART} in {UNIT}, got none")
    height = ROW * (len(costs) + 1) + 10
    bars = [_bar(cost, place, costs[-1].value) for place, cost in enumerate(costs)]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" font-family="sans-serif" '
        'font-size="13"><style>text{fill:#20282c}@media(prefers-color-scheme:dark){text{fill:#e4eaed}}</style>'
        f'<text x="0" y="16" font-weight="bold">{escape(UNIT)} (less is better)</text>'
    )
    return head + "".join(bars) + "</svg>\n"


def _bar(cost: Figure, place: int, most: float) -> str:
    top = ROW * (place + 1)
    width = max(1.0, (WIDTH - LABEL_WIDTH - NUMBER_WIDTH) * cost.value / most)
    colour = OURS if cost.name.startswith(COLLECTOR) else OTHERS
    return (
        f'<text x="0" y="{top + 17}">{escape(cost.name)}</text>'
        f'<rect x="{LABEL_WIDTH}" y="{top + 3}" width="{width:.1f}" height="{ROW - 7}" fill="{colour}"/>'
        f'<text x="{LABEL_WIDTH + width + 6:.1f}" y="{top + 17}">{rounded(cost.value)}</text>'
    )
