"""What long-running processes share: stopping on a signal, a small health port for loops."""

import logging
import signal
import socket
import threading
from collections.abc import Callable, Mapping

from flask import Flask
from werkzeug.serving import make_server

from baliza.errors import PortTaken
from baliza.http import Probe, base_app
from baliza.settings import Settings

__all__ = ["run_loop"]

log = logging.getLogger("baliza.loops")


def run_loop(
    name: str, settings: Settings, loop: Callable[[Settings, threading.Event], None], probes: Mapping[str, Probe]
) -> None:
    """Run a loop until SIGTERM or SIGINT; meanwhile answer /health, /ready and /metrics if settings.health_port says so.

    Main thread only. PortTaken when the health port is in use.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if settings.health_port:
        _serve_health(base_app(name, probes), settings)
    loop(settings, stop)


def _serve_health(app: Flask, settings: Settings) -> None:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    host, port = settings.health_host, settings.health_port
    # Bound here, because werkzeug prints and exits when it cannot bind.
    try:
        listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise PortTaken(
            f"the health port {port} on {host} cannot be had ({error.strerror}); choose another BALIZA_HEALTH_PORT"
        ) from None
    with listener:
        server = make_server(host, port, app, threaded=True, fd=listener.fileno())
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
