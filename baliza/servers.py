"""gunicorn, started from here instead of from its own command line."""

import logging
import os
import resource
import sys
import time
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Final

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.errors import HaltServer
from gunicorn.workers.base import Worker
from prometheus_client import multiprocess

from baliza.knocks import ignore_knocks
from baliza.settings import Settings

__all__ = ["GunicornServer", "LoopWorker", "allow_connections", "bind_address", "fresh", "serve_edge", "serve_wsgi"]

log = logging.getLogger("baliza.servers")

OURS: Final = ("baliza", "console", "demo", "js_beacon", "personalizer", "schema", "tracker")
BEGIN_WITHIN_S: Final = 30.0
HALF_INSIDE_S: Final = 0.2  # for the third packet of who has sent the first
OTHER_FILES: Final = 200  # what a process has open besides its clients' connections, amply


class GunicornServer(BaseApplication):  # type: ignore[misc]
    """gunicorn with our options. `load_app` runs in each worker, after the fork: connections are never shared.

    A reload (SIGHUP) forks new workers from the same parent. They run new code only as far as they import it themselves, so
    the parent imports little, and what it did is imported anew: see fresh().
    """

    def __init__(self, load_app: Callable[[], Any], options: Mapping[str, Any]) -> None:
        self._load_app, self._options = load_app, dict(options)
        super().__init__()

    def load_config(self) -> None:
        common = {
            "proc_name": "baliza",
            "graceful_timeout": 20,
            "timeout": 30,
            "errorlog": "-",
            "loglevel": "warning",
            "control_socket_disable": True,
            "child_exit": _forget_metrics,
        }
        for name, value in (common | self._options).items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        return self._load_app()

    def run(self) -> None:
        """Blocks until told to stop."""
        PatientArbiter(self).run()


class PatientArbiter(Arbiter):  # type: ignore[misc]
    """gunicorn's parent. At a reload the old workers go on until the new ones have begun; if those cannot, for good.

    At the end nobody else is let in while the workers take in who is at the door.
    """

    def stop(self, graceful: bool = True) -> None:
        """See gunicorn's. A port that another process goes on with is left as it is."""
        ours = self.reexec_pid == self.master_pid == 0 and not self.systemd and not self.cfg.reuse_port
        if graceful and ours and ignore_knocks([listener.sock for listener in self.LISTENERS]):
            time.sleep(HALF_INSIDE_S)
        super().stop(graceful)

    def manage_workers(self) -> None:
        """Before workers are ended because there are too many, wait for those that have not begun yet."""
        until = time.monotonic() + BEGIN_WITHIN_S
        while len(self.WORKERS) > self.num_workers and time.monotonic() < until:
            if all(_has_begun(worker) for worker in self.WORKERS.values()):
                break
            try:
                self.reap_workers()
            except HaltServer as error:
                log.error("a new worker does not start, an old one goes on: %s", error.reason)
            time.sleep(0.05)
        super().manage_workers()


def _has_begun(worker: Worker) -> bool:
    # A worker's sign of life is the monotonic clock as the time of a file; until the first, it has the time of its making.
    last_update: float = worker.tmp.last_update()
    return last_update <= time.monotonic()


class LoopWorker(Worker):  # type: ignore[misc]
    """A process for an application with a loop of its own: run(worker) returns when told to stop and all is answered."""

    def run(self) -> None:
        """gunicorn's entry."""
        self.wsgi.run(self)


def fresh(maker: str) -> Any:
    """What "module:function" makes, with all code of ours as it is on the disk now. For a process that just began."""
    for name in [name for name in sys.modules if name.partition(".")[0] in OURS]:
        del sys.modules[name]
    module, _, function = maker.partition(":")
    return getattr(import_module(module), function)()


def serve_edge(settings: Settings, maker: str) -> None:
    """The public port, by what `maker` ("module:function") makes in each worker. Blocks until told to stop."""
    options = {
        "bind": bind_address(settings.public_host, settings.public_port),
        "workers": settings.collector_workers,
        "worker_class": "baliza.servers.LoopWorker",
    }
    allow_connections(settings.max_connections)
    GunicornServer(lambda: fresh(maker), options).run()


def serve_wsgi(load_app: Callable[[], Any], host: str, port: int, threads: int) -> None:
    """Serve an ordinary WSGI app with gunicorn's threaded worker. Blocks until told to stop."""
    options = {"bind": bind_address(host, port), "workers": 1, "threads": threads, "worker_class": "gthread"}
    GunicornServer(load_app, options).run()


def bind_address(host: str, port: int) -> str:
    """As gunicorn wants it: an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def allow_connections(count: int) -> int:
    """Raise this process' limit of open files (often 1,024) for so many connections; what the limit is now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        if soft < wanted:
            log.warning("max_connections %d needs %d open files, but the system allows %d (ulimit -Hn)", count, wanted, hard)
    return soft


def _forget_metrics(_server: Any, worker: Any) -> None:
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
