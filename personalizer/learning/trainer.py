"""The training loop: decides when, and lets a process of its own learn, so that its memory and faults end with it."""

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from baliza import stores
from baliza.errors import BalizaError
from baliza.settings import Settings
from baliza.sites import Site, load_sites
from baliza.stores import History, call
from baliza.supervisor import environment
from personalizer.learning.span import enough_to_begin
from personalizer.models.versions import ModelVersions

__all__ = ["Learn", "learn_apart", "serve_trainer"]

FIRST_LOOK_S: Final = 5.0
QUERY_TIMEOUT_S: Final = 30.0  # of silence; all that is asked here is whether there is enough
LONGEST_S: Final = 3 * 3600.0
LAST_WORDS_S: Final = 5.0

# Learns one site's model; answers whether it did. Ends early when the event is set.
Learn = Callable[[Settings, Site, threading.Event], bool]

log = logging.getLogger("baliza.train")


def serve_trainer(settings: Settings, stop: threading.Event, learn: Learn | None = None) -> None:
    """Train all sites again and again until `stop` is set; a first model as soon as there are sessions for it.

    Nothing that goes wrong ends it: it is logged and tried again at the next round. Blocks. learn: learn_apart() by default.
    """
    redis, client = stores.redis(settings), stores.clickhouse(settings, QUERY_TIMEOUT_S)
    history = History(lambda: client)
    due: dict[str, float] = {}
    while not stop.is_set():
        try:
            for site in _due(redis, history, settings, due):
                due[site.name] = time.monotonic() + settings.train_interval_s
                (learn or learn_apart)(settings, site, stop)
                if stop.is_set():
                    break
        except BalizaError as error:
            log.warning("no training now: %s", error)
        except Exception:
            log.exception("training failed; it is tried again")
        stop.wait(FIRST_LOOK_S)
    client.disconnect()
    redis.close()


def _due(redis: stores.RedisClient, history: History, settings: Settings, due: dict[str, float]) -> list[Site]:
    """The sites whose time has come. due: site → when next, by the monotonic clock."""
    models, now = ModelVersions(settings.model_dir), datetime.now(UTC)
    return [
        site
        for site in call(lambda: load_sites(redis)).by_name.values()
        if time.monotonic() >= due.get(site.name, 0.0)
        and (models.current(site.name) is not None or enough_to_begin(history, settings, site, now))
    ]


def learn_apart(settings: Settings, site: Site, stop: threading.Event) -> bool:
    """`baliza train` for one site as a child, below everybody else's priority. What it has to say goes where our log goes.

    When `stop` is set it is told to end; nothing of it is kept then, as after a fault.
    """
    command = [sys.executable, "-m", "baliza.cli", "train", "--site", site.name, "--background"]
    child = subprocess.Popen(command, env=environment(settings), stdin=subprocess.DEVNULL, stdout=sys.stderr)  # noqa: S603
    until = time.monotonic() + LONGEST_S
    while child.poll() is None and not stop.wait(0.1) and time.monotonic() < until:
        pass
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(LAST_WORDS_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
    if child.returncode and not stop.is_set():
        log.warning("training of %s ended with code %d; it is tried again", site.name, child.returncode)
    return child.returncode == 0
