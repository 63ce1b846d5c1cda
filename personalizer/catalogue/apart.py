"""Feeds that come over HTTP. A large one is taken by a process of its own: reading it keeps the interpreter busy, and offers
and beacons of the process that serves would wait for it."""

import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import BinaryIO, Final

import msgspec
from msgspec import Struct

from baliza import stores
from baliza.errors import BalizaError, NotFound, StoreDown
from baliza.parent import end_with_parent
from baliza.settings import PARENT_VARIABLE, Settings, load_settings
from baliza.sites import Site, load_sites
from baliza.stores import RedisClient, call
from baliza.supervisor import environment
from personalizer.catalogue.feeds import FeedFormat, opened, rows_of, sniffed
from personalizer.catalogue.importing import Mode, Report, importer_of

__all__ = ["SMALL", "Order", "Refused", "take", "take_apart"]

SMALL: Final = 64 * 1024  # bytes as they come: starting a process costs more than reading them
MIB: Final = 1024 * 1024
LONGEST_S: Final = 3600.0

log = logging.getLogger("baliza.personalizer")


class Order(Struct, frozen=True):
    """What to do with a feed. kind: None to see by its first bytes."""

    site: str
    mode: Mode
    kind: FeedFormat | None = None
    dry_run: bool = False
    force: bool = False


class Outcome(Struct, frozen=True):
    """What the process has to say: a report, or why there is none, with the HTTP status that this is."""

    report: Report | None = None
    status: int = 0
    title: str = ""
    detail: str = ""


class Refused(BalizaError):
    """What the process raised."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.detail)
        self.status, self.title = outcome.status, outcome.title


def take(
    redis: RedisClient, settings: Settings, site: Site, order: Order, feed: BinaryIO, now_ms: Callable[[], int]
) -> Report:
    """Take a feed here and now. Raises what Importer.run() raises."""
    stream = opened(feed, settings.catalogue_max_mb * MIB)
    rows = rows_of(stream, order.kind or sniffed(stream))
    return importer_of(redis, settings, site, now_ms).run(rows, order.mode, dry_run=order.dry_run, force=order.force)


def take_apart(settings: Settings, order: Order, feed: bytes) -> Report:
    """The same in a process of its own, behind everybody else's priority; waits for it. Raises StoreDown and Refused."""
    command = [sys.executable, "-m", __name__, msgspec.json.encode(order).decode()]
    env = environment(settings)
    del env["PROMETHEUS_MULTIPROC_DIR"]  # it counts nothing, and would leave files there
    ran = subprocess.run(command, input=feed, stdout=subprocess.PIPE, env=env, timeout=LONGEST_S, check=False)  # noqa: S603
    if ran.returncode:
        log.error("a feed of %s was not taken: its process ended with code %d", order.site, ran.returncode)
        raise BalizaError("the feed was not taken, or a part of it only; the service's log says why")
    outcome = msgspec.json.decode(ran.stdout, type=Outcome)
    if outcome.report is not None:
        return outcome.report
    raise StoreDown(outcome.detail) if outcome.status == StoreDown.status else Refused(outcome)


def main() -> None:
    """Take the feed of standard input as the first argument orders, and print the outcome."""
    os.nice(10)
    end_with_parent(int(os.environ[PARENT_VARIABLE]))
    order = msgspec.json.decode(sys.argv[1], type=Order)
    settings = load_settings()
    with stores.redis(settings) as redis:
        try:
            outcome = Outcome(_taken(redis, settings, order, sys.stdin.buffer))
        except BalizaError as error:
            outcome = Outcome(status=error.status, title=error.title, detail=error.public)
    sys.stdout.buffer.write(msgspec.json.encode(outcome))


def _taken(redis: RedisClient, settings: Settings, order: Order, feed: BinaryIO) -> Report:
    site = call(lambda: load_sites(redis)).by_name.get(order.site)
    if site is None:
        raise NotFound(f"there is no site named {order.site!r}")
    return take(redis, settings, site, order, feed, lambda: time.time_ns() // 1_000_000)


if __name__ == "__main__":
    main()
