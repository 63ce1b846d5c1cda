"""Pictures of the products, drawn from simple shapes: one drawing per product, in the product's own colours.

The files in drawings/ are what stands inside frame.svg, on a canvas of 400 x 400; $m, $d and $a are the main,
dark and accent colour.
"""

from pathlib import Path
from string import Template
from typing import Final
from xml.sax.saxutils import escape

from demo.catalogue import Product

__all__ = ["draw"]

_DRAWINGS: Final = Path(__file__).with_name("drawings")


def draw(product: Product) -> str:
    """The product's picture as an SVG document."""
    main, dark, accent = product.colours
    colours = {"m": main, "d": dark, "a": accent}
    drawing = Template(_read(product.item_id)).substitute(colours)
    return Template(_read("frame")).substitute(colours, title=escape(product.name), drawing=drawing)


def _read(name: str) -> str:
    return (_DRAWINGS / f"{name}.svg").read_text(encoding="utf-8")
