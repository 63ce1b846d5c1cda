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
    trouble: str = ""  # why the last look failed


class ModelShelf:
    """Models by site. get() is for any thread and blocks only for a site's first model, or not at all.

    prepare: called with each model before it serves, so that no request pays for what is worked out once.
    waits: whether get() blocks for a site's first model; without, there is none until it has been loaded.
    """

    def __init__(
        self, store: ModelStore, monotonic: Callable[[], float],
        prepare: Callable[[str, Model], object] = lambda _site, _model: None, *, waits: bool = True,
    ) -> None:  # fmt: skip
        self._store, self._monotonic, self._prepare, self._waits = store, monotonic, prepare, waits
        self._slots: dict[str, _Slot] = {}
        self._lock = threading.Lock()

    def fill(self) -> None:
        """Load the current models of all sites that have one, before the first request comes. Blocks."""
        for site in self._store.sites():
            self._first(site, wait=True)

    def get(self, site: str) -> Model | None:
        """The model to serve with now. At most once a second it looks whether another one is current."""
        slot = self._slots.get(site) or self._first(site, self._waits)
        if self._monotonic() - slot.looked_at >= LOOK_EVERY_S and self._lock.acquire(blocking=False):
            try:
                self._look(site, slot)
            finally:
                self._lock.release()
        return slot.model

    def _first(self, site: str, wait: bool) -> _Slot:
        with self._lock:
            slot = self._slots.get(site)
            if slot is None:
                slot = _Slot(None, None, self._monotonic())
                found = self._another(site, slot)
                if found and wait:
                    self._load(site, slot)
                self._slots[site] = slot
                if found and not wait:
                    self._load_apart(site, slot)
            return slot

    def _look(self, site: str, slot: _Slot) -> None:
        slot.looked_at = self._monotonic()
        if self._another(site, slot):
            self._load_apart(site, slot)

    def _load_apart(self, site: str, slot: _Slot) -> None:
        threading.Thread(target=self._load, args=(site, slot), name="model-load", daemon=True).start()

    def _another(self, site: str, slot: _Slot) -> bool:
        """Whether another version is current than the one tried last; it is the one to try now."""
        try:
            version = self._store.current(site)
        except OSError as error:
            # Somebody else's files, such as root's: worth a line, and no reason to fail a request.
            if slot.trouble != str(error):
                log.error("which model of %s is current cannot be read: %s", site, error)
            slot.trouble = str(error)
            return False
        slot.trouble = ""
        changed, slot.tried = version != slot.tried, version
        return changed

    def _load(self, site: str, slot: _Slot) -> None:
        version = slot.tried
        if version is None:
            return
        try:
            model = self._store.load_version(site, version)
        except BrokenModel as error:
            log.error("%s; %s", error, "the one before goes on serving" if slot.model else "there is none to serve")
            return
        self._prepare(site, model)
        # Of two loads that overlap only the one that was asked for last may win.
        if slot.tried == version:
            slot.model = model
