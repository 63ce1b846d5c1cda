"""Learning one site's readiness from the history, and letting it be used."""

import logging
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from baliza.readiness.features import Features
from baliza.readiness.files import current, new_version, read, save
from baliza.readiness.model import BrokenReadiness, ReadinessFile
from baliza.settings import Settings
from baliza.sites import Site
from baliza.stores import History
from personalizer.readiness.extraction import Visits, read_moments, read_visits
from personalizer.readiness.learning import FEWEST_BUYERS, learn
from personalizer.readiness.snapshots import Moments

__all__ = ["read_period", "refresh_readiness", "train_readiness"]

DAY_MS: Final = 24 * 3600 * 1000
# How often it is learned anew: readiness changes slowly, and rules wait for their first model.
MODEL_LASTS: Final = timedelta(hours=6)
RULES_LAST: Final = timedelta(hours=1)

log = logging.getLogger("baliza.train")


def refresh_readiness(history: History, settings: Settings, site: Site, now: datetime) -> ReadinessFile | None:
    """Learn anew when it is time to; None when it is not. Blocks for up to a minute. Raises StoreDown."""
    if not _due(settings, site, now):
        return None
    file = train_readiness(history, settings, site, now)
    log.info("readiness of %s is told by %s: %s", site.name, file.basis, file.why)
    return file


def train_readiness(
    history: History,
    settings: Settings,
    site: Site,
    now: datetime,
    progress: Callable[[float], None] = lambda _done: None,
) -> ReadinessFile:
    """Learn from the last settings.train_days and let it be used at once, be it a model or the rules.

    Reads the history of a share of the visitors. Blocks. Raises StoreDown.
    """
    visits, moments = read_period(history, settings, site, now, progress)
    about = {"data": _about(visits, moments)}
    told = {"site": site.name, "version": new_version(now), "trained_at": now.astimezone(UTC).isoformat()}
    file = learn(moments, about, **told)
    save(settings.model_dir, file)
    return file


def read_period(
    history: History, settings: Settings, site: Site, now: datetime, progress: Callable[[float], None] = lambda _done: None
) -> tuple[Visits, Moments]:
    """What there is to learn from; no moments when there are too few orders for a model. Raises StoreDown."""
    until_ms = int(now.timestamp() * 1000)
    visits = read_visits(history, site.name, until_ms - settings.train_days * DAY_MS, until_ms)
    if visits.bought < FEWEST_BUYERS:
        return visits, Moments.none()
    return visits, read_moments(history, site.name, visits, settings.session_idle_s * 1000, progress)


def _due(settings: Settings, site: Site, now: datetime) -> bool:
    version = current(settings.model_dir, site.name)
    if version is None:
        return True
    try:
        file = read(settings.model_dir, site.name, version)
        age = now - datetime.fromisoformat(file.trained_at)
    except (BrokenReadiness, ValueError):
        return True
    if file.features != list(Features._fields):
        return True
    return age >= (MODEL_LASTS if file.basis == "model" else RULES_LAST)


def _about(visits: Visits, moments: Moments) -> dict[str, Any]:
    return {**asdict(visits), "share_of_visitors": visits.share, "moments": len(moments)}
