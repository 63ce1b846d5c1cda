"""The retargeting loop: marks carts abandoned whose time has come, takes those off that were bought elsewhere."""

import logging
import os
import socket
import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import Final

from baliza import stores
from baliza.errors import BalizaError, StoreDown
from baliza.lease import Lease
from baliza.metrics import CARTS_ABANDONED
from baliza.settings import Settings
from baliza.sites import load_sites
from baliza.stores import RedisClient, call
from personalizer.carts.cart import Place
from personalizer.carts.reader import CartReader

__all__ = ["ROLE", "Outcome", "Sweep", "serve_retargeting"]

ROLE: Final = "retargeting"
FRESH_AT_ONCE: Final = 500  # carts of a partition that have just become due, in one round
AGAIN_AT_ONCE: Final = 50  # carts of a partition that are looked at again in one round

log = logging.getLogger("baliza.retargeting")


@dataclass(frozen=True)
class Outcome:
    """What one sweep did."""

    marked: int
    cancelled: int


@dataclass
class _Marks:
    """Where a site's next sweep goes on, by partition; ms."""

    fresh: list[int]
    again: list[int]


@dataclass
class Sweep:
    """Sweeps over carts, a bounded part each time.

    Those that became due since the last sweep come first. Beside them it goes round all idle carts again and again,
    because a late event can put a cart into the past, and a person can buy elsewhere long after the cart was marked.
    """

    reader: CartReader
    partitions: int
    _marks: dict[str, _Marks] = field(default_factory=dict)

    def run(self, site: str, now_ms: int) -> Outcome:
        """One sweep over a site. Blocks for a few round trips. Raises StoreDown."""
        marks = self._marks.setdefault(site, _Marks([0] * self.partitions, [0] * self.partitions))
        fresh = self.reader.due(site, marks.fresh, now_ms, FRESH_AT_ONCE)
        again = self.reader.due(site, marks.again, now_ms, AGAIN_AT_ONCE)
        visitors = dict.fromkeys(place.visitor_id for places in (*fresh, *again) for place in places)
        seen = self.reader.look(site, list(visitors), now_ms)
        outcome = Outcome(self.reader.mark(site, seen, now_ms), self.reader.cancel(site, seen))
        marks.fresh = [_after(places, mark) for places, mark in zip(fresh, marks.fresh, strict=True)]
        marks.again = [_after(places, 0) if len(places) == AGAIN_AT_ONCE else 0 for places in again]
        return outcome


def _after(places: list[Place], otherwise: int) -> int:
    # A full batch of one millisecond would be looked at for ever; its rest is left to the next time round.
    if not places:
        return otherwise
    return places[-1].changed_ms + (1 if places[0].changed_ms == places[-1].changed_ms else 0)


def serve_retargeting(settings: Settings, stop: threading.Event) -> None:
    """Sweep all sites every settings.retarget_interval_s until `stop` is set; of several processes one does it.

    The stores being away is logged and waited out. Blocks.
    """
    redis = stores.redis(settings)
    owner = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
    lease = Lease(redis, ROLE, owner, time.monotonic)
    sweep = Sweep(CartReader(redis, settings.partitions, settings.cart_idle_s * 1000), settings.partitions)
    away = False
    while not stop.is_set():
        try:
            if lease.hold():
                _sweep_sites(redis, sweep, lease)
            away = False
        except StoreDown as error:
            if not away:
                log.warning("carts wait: %s", error)
            away = True
        except Exception:
            log.exception("a sweep over the carts failed; the next one tries again")
        stop.wait(settings.retarget_interval_s)
    _give_back(lease)
    redis.close()


def _sweep_sites(redis: RedisClient, sweep: Sweep, lease: Lease) -> None:
    for name in call(lambda: load_sites(redis)).by_name:
        if not lease.valid() and not lease.hold():
            return
        outcome = sweep.run(name, time.time_ns() // 1_000_000)
        if outcome.marked:
            CARTS_ABANDONED.labels(name).inc(outcome.marked)
        if outcome.marked or outcome.cancelled:
            log.info("%s: %d carts abandoned, %d bought elsewhere", name, outcome.marked, outcome.cancelled)


def _give_back(lease: Lease) -> None:
    try:
        lease.release()
    except BalizaError as error:
        log.info("the lease runs out by itself: %s", error)
