"""The console's Flask app: reports for programs and pages for people, on the private port."""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from flask import Flask, Response, make_response, render_template, request
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix

from baliza.errors import BalizaError, StoreDown
from baliza.http import Probe, base_app
from baliza.readiness.files import ReadinessShelf
from baliza.settings import Settings
from baliza.stores import History, RedisClient, call
from console import showing
from console.access import Registry
from console.api import report_routes
from console.login import login_routes
from console.pages import page_routes
from console.secret import signing_key
from console.strings import counted, text

__all__ = ["create_app", "history_answers"]

SESSION_LENGTH: Final = timedelta(hours=12)
MAX_FORM_BYTES: Final = 64 * 1024
FOR_PROGRAMS: Final = ("/v1/", "/health", "/ready", "/metrics", "/openapi.json")
POLICY: Final = (
    "default-src 'self'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
    "object-src 'none'",
)
HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": "; ".join(POLICY),
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
SHOWN_BY: Final = (
    showing.clock, showing.day, showing.day_and_clock, showing.headline, showing.icon_of, showing.length, showing.money,
    showing.outcome, showing.safe_link, showing.share,
)  # fmt: skip

log = logging.getLogger("console")


def create_app(
    settings: Settings,
    redis: RedisClient,
    history: History,
    registry: Registry,
    now: Callable[[], datetime],
    *,
    probes: Mapping[str, Probe] | None = None,
) -> Flask:
    """Build the console. Makes the key that signs its cookies in settings.data_dir when it is missing.

    registry: answers the sites of now (a CachedRegistry). now: the clock, with its zone. probes: what /ready asks beside
    the two stores, or in place of one.
    """
    stores: dict[str, Probe] = {"live_store": lambda: _pinged(redis), "history": lambda: history_answers(history)}
    app = base_app("console", {**stores, **(probes or {})})
    app.config.update(
        SECRET_KEY=signing_key(settings.data_dir),
        SESSION_COOKIE_NAME="baliza_console",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.secure_cookies,
        PERMANENT_SESSION_LIFETIME=SESSION_LENGTH,
        MAX_CONTENT_LENGTH=MAX_FORM_BYTES,
        SEND_FILE_MAX_AGE_DEFAULT=timedelta(hours=1),
    )
    app.jinja_env.globals.update({"t": text, "counted": counted} | {helper.__name__: helper for helper in SHOWN_BY})
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    shelf = ReadinessShelf(settings.model_dir, lambda: now().timestamp())
    app.register_blueprint(report_routes(settings, redis, history, registry, now, shelf))
    app.register_blueprint(login_routes(redis))
    app.register_blueprint(page_routes(settings, redis, history, registry, now, shelf))
    _explain_errors_to_people(app)
    app.after_request(_protect)
    if settings.trusted_proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=settings.trusted_proxies, x_proto=0, x_host=0)  # type: ignore[method-assign]
    return app


def _protect(answer: Response) -> Response:
    for name, value in HEADERS.items():
        answer.headers.setdefault(name, value)
    if request.endpoint != "static":
        answer.headers["Cache-Control"] = "no-store"
    return answer


def _explain_errors_to_people(app: Flask) -> None:
    """Pages answer errors as pages; everything under /v1 keeps the problem answers of base_app."""
    for kind, for_programs in list(app.error_handler_spec[None][None].items()):
        app.register_error_handler(kind, partial(_explain, for_programs))


def _explain(for_programs: Callable[[Any], Any], error: Exception) -> Any:
    return for_programs(error) if request.path.startswith(FOR_PROGRAMS) else _error_page(error)


def _error_page(error: Exception) -> Response:
    status, said = 500, text("error.unforeseen")
    if isinstance(error, StoreDown):
        status, said = error.status, text("error.store")
    elif isinstance(error, BalizaError):
        status, said = error.status, str(error)
    elif isinstance(error, HTTPException):
        status, said = error.code or 500, error.description or error.name
    if status >= 500:
        log.error("%s %s: %s", request.method, request.path, error, exc_info=error)
    answer = make_response(render_template("error.html", said=said), status)
    if isinstance(error, StoreDown):
        answer.headers["Retry-After"] = str(error.retry_after_s)
    return answer


def _pinged(redis: RedisClient) -> str:
    call(redis.ping)
    return "answers"


def history_answers(history: History) -> str:
    """What /ready says of the history. Raises StoreDown."""
    history.rows("SELECT 1")
    return "answers"
