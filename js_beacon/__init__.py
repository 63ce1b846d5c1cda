"""The browser's part: the script that a shop's pages load."""

from pathlib import Path

__all__ = ["script_path"]


def script_path() -> Path:
    """The beacon script, to be served as it is at /b.js."""
    return Path(__file__).with_name("b.js")
