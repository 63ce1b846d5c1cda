"""The catalogue for serving: read again behind the requests' backs, so that what sells out is not offered a second later."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from baliza.errors import BalizaError
from personalizer.catalogue.item import digest
from personalizer.catalogue.store import ANOTHER_STORE, CatalogueState, CatalogueStore, Position
from personalizer.catalogue.view import CatalogueView, model_goods, view_of
from personalizer.models.goods import UNKNOWN, Goods
from personalizer.models.model import Model

__all__ = ["LiveCatalogue"]

LOOK_EVERY_S: Final = 1.0
# Who writes and dies before it rings leaves rows that nobody was told of: so often they are looked for anyway.
LOOK_ANYWAY_S: Final = 20.0

log = logging.getLogger("baliza.catalogue")


@dataclass(frozen=True, eq=False)
class _Slot:
    """One site. news: rows by item id that changed since the model's copy, read up to `positions`.

    state: as it was when they were read, None before the first look at the live store for this model.
    """

    model: Model
    goods: Goods
    news: dict[str, bytes | None]
    positions: list[Position]
    complete: bool
    state: CatalogueState | None
    looked_at: float
    view: CatalogueView


class LiveCatalogue:
    """Views of the catalogue by site. view() is for any thread and never waits for the live store.

    now_ms: the clock, ms. monotonic: seconds. Call start() once in the process that serves, or look() by hand.
    """

    def __init__(self, store: CatalogueStore, now_ms: Callable[[], int], monotonic: Callable[[], float]) -> None:
        self._store, self._now_ms, self._monotonic = store, now_ms, monotonic
        self._slots: dict[str, _Slot] = {}
        self._coming: dict[str, _Slot] = {}
        self._lock = threading.Lock()
        self._wake, self._ended = threading.Event(), threading.Event()
        self._trouble = ""

    def view(self, site: str, model: Model) -> CatalogueView:
        """The catalogue in the numbers of this model, as new as the last look (about a second)."""
        slot = self._slots.get(site)
        if slot is None or slot.model is not model:
            slot = self._take(site, model)
        return slot.view

    def prepare(self, site: str, model: Model) -> CatalogueView:
        """Make the view of a model that will be asked for soon, while another one still serves."""
        with self._lock:
            slot = self._coming[site] = self._first(self._slots.get(site), model)
        return slot.view

    def start(self) -> None:
        """Look every second from now on, in a thread of its own, until close()."""
        threading.Thread(target=self._run, name="catalogue", daemon=True).start()

    def close(self) -> None:
        """End the thread."""
        self._ended.set()
        self._wake.set()

    def look(self) -> None:
        """Bring the views of all sites up to date. Raises StoreDown; then the views that are known go on."""
        for site, slot in list(self._slots.items()):
            seen = self._looked(site, slot)
            with self._lock:
                # Another model may have come meanwhile: that one is looked at next.
                if seen is not slot and self._slots[site] is slot:
                    self._slots[site] = seen

    def _take(self, site: str, model: Model) -> _Slot:
        """A model that was not served before. What is known to have changed holds for it too, until the next look."""
        with self._lock:
            before = self._slots.get(site)
            if before is not None and before.model is model:
                return before
            coming = self._coming.pop(site, None)
            if coming is not None and coming.model is model and (before is None or coming.news is before.news):
                slot = coming
            else:
                slot = self._first(before, model)
            self._slots[site] = slot
        self._wake.set()
        return slot

    def _first(self, before: _Slot | None, model: Model) -> _Slot:
        goods = model_goods(model)
        news = before.news if before else {}
        complete = before.complete if before else bool(goods.complete[0])
        view = view_of(model, goods, news, complete, self._now_ms())
        return _Slot(model, goods, news, [], complete, None, self._monotonic(), view)

    def _looked(self, site: str, slot: _Slot) -> _Slot:
        state, now = self._store.state(site), self._monotonic()
        if state is None or (state == slot.state and now - slot.looked_at < LOOK_ANYWAY_S):
            return self._in_time(slot)
        first = slot.state is None or slot.state.epoch != state.epoch
        known = _copied(slot.goods, state, self._store.partitions) if first else slot.positions
        news: dict[str, bytes | None] = {} if first else dict(slot.news)
        positions = self._read_news(site, slot, known, news)
        if not first and positions == known and state.complete == slot.complete:
            return self._in_time(replace(slot, state=state, looked_at=now))
        view = view_of(slot.model, slot.goods, news, state.complete, self._now_ms())
        return _Slot(slot.model, slot.goods, news, positions, state.complete, state, now, view)

    def _in_time(self, slot: _Slot) -> _Slot:
        """The same; with another view when a sale began or ended, or something expired."""
        now_ms = self._now_ms()
        if now_ms // 1000 < slot.view.until_s:
            return slot
        return replace(slot, view=view_of(slot.model, slot.goods, slot.news, slot.complete, now_ms))

    def _read_news(self, site: str, slot: _Slot, known: list[Position], news: dict[str, bytes | None]) -> list[Position]:
        """Add to `news` what changed after `known`; where to go on the next time."""
        newest, whole = self._store.positions(site), []
        for partition, (since, now) in enumerate(zip(known, newest, strict=True)):
            if since == now:
                continue
            ids, newest[partition] = self._store.changed_since(site, partition, since)
            if ids is None:
                whole.append(partition)
            else:
                rows = self._store.get_many(site, partition, ids)
                news |= {item_id: rows.get(item_id) for item_id in ids}
        if whole:
            self._read_whole(site, slot, frozenset(whole), news)
        return newest

    def _read_whole(self, site: str, slot: _Slot, partitions: frozenset[int], news: dict[str, bytes | None]) -> None:
        """Compare whole partitions with the model's copy; only what differs is kept."""
        of = self._store.partition_of
        for item_id in [item_id for item_id in news if of(item_id) in partitions]:
            del news[item_id]
        missing = np.array(slot.goods.listed)
        for partition in partitions:
            rows = dict(self._store.rows(site, partition))
            ids = list(rows)
            for item_id, item in zip(ids, slot.model.find_items(ids), strict=True):
                if item != UNKNOWN:
                    missing[item] = False
                    if int(slot.goods.digest[item]) != digest(rows[item_id]):
                        news[item_id] = rows[item_id]
        names = (slot.model.item_ids[item].decode() for item in missing.nonzero()[0])
        news |= {item_id: None for item_id in names if of(item_id) in partitions}

    def _run(self) -> None:
        while not self._ended.is_set():
            self._wake.clear()
            try:
                self.look()
                self._trouble = ""
            except BalizaError as error:
                self._told(str(error))
            except Exception:
                log.exception("the catalogue could not be read; the one last known goes on")
            self._wake.wait(LOOK_EVERY_S)

    def _told(self, trouble: str) -> None:
        """A trouble that lasts is worth one line."""
        if trouble != self._trouble:
            log.warning("the catalogue last known goes on: %s", trouble)
        self._trouble = trouble


def _copied(goods: Goods, state: CatalogueState, partitions: int) -> list[Position]:
    """Up to where the model's copy goes in each log; nowhere when it was made of another store."""
    if goods.epoch.tobytes() != state.epoch or len(goods.copied) != partitions:
        return [ANOTHER_STORE] * partitions
    return [(int(ms), int(sequence)) for ms, sequence in goods.copied]
