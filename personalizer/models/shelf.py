"""The models that a serving process holds: changed behind the requests' back, never while they wait."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from personalizer.models.model import Model
from personalizer.models.store import BrokenModel, ModelStore

__all__ = ["ModelShelf"]

LOOK_EVERY_S: Final = 1.0

log = logging.getLogger("baliza.models")


@dataclass
class _Slot:
    model: Model | None
    tried: str | None  # the version last tried, good or broken: a broken one is logged once
    looked_at: float


class ModelShelf:
    """Models by site. get() is for any thread and blocks only for a site's first model."""

    def __init__(self, store: ModelStore, monotonic: Callable[[], float]) -> None:
        self._store, self._monotonic = store, monotonic
        self._slots: dict[str, _Slot] = {}
        self._lock = threading.Lock()

    def get(self, site: str) -> Model | None:
        """The model to serve with now. At most once a second it looks whether another one is current."""
        slot = self._slots.get(site) or self._first(site)
        if self._monotonic() - slot.looked_at >= LOOK_EVERY_S and self._lock.acquire(blocking=False):
            try:
                self._look(site, slot)
            finally:
                self._lock.release()
        return slot.model

    def _first(self, site: str) -> _Slot:
        with self._lock:
            if site not in self._slots:
                slot = _Slot(None, self._store.current(site), self._monotonic())
                self._load(site, slot)
                self._slots[site] = slot
            return self._slots[site]

    def _look(self, site: str, slot: _Slot) -> None:
        slot.looked_at = self._monotonic()
        version = self._store.current(site)
        if version != slot.tried:
            slot.tried = version
            threading.Thread(target=self._load, args=(site, slot), name="model-load", daemon=True).start()

    def _load(self, site: str, slot: _Slot) -> None:
        version = slot.tried
        if version is None:
            return
        try:
            model = self._store.load_version(site, version)
        except BrokenModel as error:
            log.error("%s; %s", error, "the one before goes on serving" if slot.model else "there is none to serve")
            return
        # Of two loads that overlap only the one that was asked for last may win.
        if slot.tried == version:
            slot.model = model
