"""Start the console with real connections and clocks."""

import time
from datetime import UTC, datetime

from flask import Flask

from baliza import stores
from baliza.servers import serve_wsgi
from baliza.settings import Settings
from baliza.sites import CachedRegistry
from console.app import create_app

__all__ = ["console_wsgi", "serve_console"]


def console_wsgi(settings: Settings) -> Flask:
    """The console's Flask app with real connections and clocks."""
    redis = stores.redis(settings)
    history = stores.History(lambda: stores.clickhouse(settings))
    return create_app(settings, redis, history, CachedRegistry(redis, time.monotonic), lambda: datetime.now(UTC))


def serve_console(settings: Settings) -> None:
    """The console on the private port. Blocks until told to stop."""
    serve_wsgi(lambda: console_wsgi(settings), settings.private_host, settings.private_port, settings.wsgi_threads)
