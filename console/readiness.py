"""Who tells how ready visitors of a site are to buy, and how well that came true: what training wrote down."""

from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from baliza.readiness.files import current, read
from baliza.readiness.model import Basis, BrokenReadiness
from personalizer.readiness.plot import reliability_svg
from personalizer.readiness.told import Measured, PurposeShare

__all__ = ["Later", "ReadinessReport", "diagram", "readiness_report"]


class Later(Struct, frozen=True):
    """Measured on visits that came later than all that was learned from. auc_gain: 95 % interval, model over rules."""

    kind: str
    tested: dict[str, int]
    model: Measured
    rules: Measured
    auc_gain: tuple[float, float]
    purposes: dict[str, PurposeShare]


class ReadinessReport(Struct, frozen=True):
    """`measured` is None while there are too few orders to measure by."""

    site: str
    basis: Basis
    why: str
    version: str | None = None
    trained_at: str | None = None
    sessions: int = 0
    sessions_with_order: int = 0
    measured: Later | None = None


def readiness_report(model_dir: Path, site: str) -> ReadinessReport:
    """What is in use for the site now. Reads two small files; whatever is wrong with them, the rules tell and it says so."""
    try:
        version = current(model_dir, site)
        if version is None:
            return ReadinessReport(site, "rules", "nothing was learned yet")
        file = read(model_dir, site, version)
        data = file.about.get("data", {})
        return ReadinessReport(
            site, file.basis, file.why, version, file.trained_at, data.get("sessions", 0), data.get("bought", 0),
            _measured(file.about),
        )  # fmt: skip
    except (BrokenReadiness, msgspec.ValidationError, OSError) as error:
        return ReadinessReport(site, "rules", str(error))


def _measured(about: dict[str, Any]) -> Later | None:
    return msgspec.convert(about, Later) if "model" in about else None


def diagram(report: ReadinessReport, title: str) -> str | None:
    """The reliability diagram as SVG, None when nothing was measured."""
    if report.measured is None:
        return None
    return reliability_svg(title, [("model", report.measured.model), ("rules", report.measured.rules)])
