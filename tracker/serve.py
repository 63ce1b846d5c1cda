"""Start the collector under gunicorn."""

import os
import time
from typing import Any

from gunicorn.app.base import BaseApplication
from prometheus_client import multiprocess

from baliza import stores
from baliza.http import Probe
from baliza.settings import Settings
from baliza.sites import CachedRegistry
from tracker.app import create_app
from tracker.edge import EdgeApp
from tracker.wsgi_bridge import Wsgi

__all__ = ["EdgeServer", "store_probe", "tracker_wsgi"]


class EdgeServer(BaseApplication):  # type: ignore[misc]
    """gunicorn with the edge worker class. `make_wsgi` runs in each worker, after the fork."""

    def __init__(self, settings: Settings, host: str, port: int, workers: int, make_wsgi: Any) -> None:
        self._settings, self._make_wsgi = settings, make_wsgi
        self._options = {
            "bind": f"{host}:{port}",
            "workers": workers,
            "worker_class": "tracker.edge.EdgeWorker",
            "proc_name": "baliza",
            "graceful_timeout": 20,
            "timeout": 30,
            "accesslog": None,
            "errorlog": "-",
            "loglevel": "warning",
            "control_socket_disable": True,
            "child_exit": _forget_metrics,
        }
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> EdgeApp:
        return EdgeApp(self._settings, self._make_wsgi(self._settings))


def _forget_metrics(_server: Any, worker: Any) -> None:
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def tracker_wsgi(settings: Settings) -> Wsgi:
    """The tracker's Flask app with real connections and clocks."""
    redis = stores.redis(settings)
    registry = CachedRegistry(redis, time.monotonic)
    return create_app(settings, redis, registry, lambda: time.time_ns() // 1_000_000, {"live_store": store_probe(redis)})


def store_probe(redis: stores.RedisClient) -> Probe:
    """For /ready: does the live store answer?"""
    return lambda: "answers" if stores.call(redis.ping) else "silent"
