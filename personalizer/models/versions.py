"""Which models there are and which one serves. Apart from the models: who asks need not have them in memory.

<model_dir>/<site>/<version>/meta.json is what was written down about one; `current` names the version that serves, `held`
the one that somebody chose.
"""

import json
from pathlib import Path
from typing import Any, Final

__all__ = ["CURRENT", "HELD", "META", "ModelVersions"]

CURRENT: Final = "current"
HELD: Final = "held"
META: Final = "meta.json"


class ModelVersions:
    """What is known of the models of all sites below one folder."""

    def __init__(self, model_dir: Path) -> None:
        self.model_dir = model_dir

    def sites(self) -> list[str]:
        """The sites that have a model which serves, or had one."""
        return sorted(file.parent.name for file in self.model_dir.glob(f"*/{CURRENT}"))

    def current(self, site: str) -> str | None:
        """The version that serves now, None when none was trained yet. Reads one small file."""
        try:
            return (self.model_dir / site / CURRENT).read_bytes().decode(errors="replace").strip() or None
        except FileNotFoundError:
            return None

    def meta(self, site: str, version: str) -> dict[str, Any]:
        """What was written down about a version: data, time, counts, parameters."""
        found: dict[str, Any] = json.loads((self.model_dir / site / version / META).read_text())
        return found

    def versions(self, site: str) -> list[str]:
        """All versions on disk, oldest first."""
        return sorted(file.parent.name for file in (self.model_dir / site).glob(f"[0-9]*/{META}"))

    def held(self, site: str) -> str | None:
        """The version that somebody chose to serve until further notice, None when the newest serves."""
        try:
            return (self.model_dir / site / HELD).read_text().strip() or None
        except FileNotFoundError:
            return None
