"""The browser's part: the scripts that a shop's pages load. `make beacon` builds them from src; only that needs Node."""

from pathlib import Path
from typing import Final

__all__ = ["PARTS", "script_path"]

# The beacon, and what it loads from beside itself where a page needs it.
PARTS: Final = ("b.js", "offers.js", "guess.js")


def script_path(part: str = "b.js") -> Path:
    """One of PARTS, to be served as it is at the path of its name. KeyError when there is no such part."""
    if part not in PARTS:
        raise KeyError(part)
    return Path(__file__).with_name("dist") / part
