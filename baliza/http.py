"""HTTP manners that all Flask apps share: problem answers (RFC 9457), bearer keys, health, readiness, metrics."""

import logging
import re
from collections.abc import Callable, Mapping
from importlib.resources import files

import msgspec
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from baliza.errors import BadRequest, BalizaError, Forbidden, StoreDown, TooManyEvents, Unauthorized, problem
from baliza.metrics import exposition
from baliza.sites import Site, SiteRegistry

__all__ = [
    "base_app",
    "bearer",
    "bearer_of",
    "int_argument",
    "json_answer",
    "problem_answer",
    "site_of_key",
    "site_of_publishable",
    "site_of_secret",
    "site_with_secret",
    "whole_number",
]

# A probe answers what it found (shown in /ready) or raises BalizaError when its part is not ready.
Probe = Callable[[], object]

log = logging.getLogger("baliza.http")


def base_app(name: str, probes: Mapping[str, Probe]) -> Flask:
    """A Flask app with the manners: errors as problems, /health, /ready, /metrics, /openapi.json."""
    app = Flask(name)
    app.register_error_handler(BalizaError, problem_answer)
    app.register_error_handler(HTTPException, _http_problem)
    app.register_error_handler(Exception, _unforeseen)
    app.add_url_rule("/health", "health", lambda: json_answer({"status": "alive"}))
    app.add_url_rule("/ready", "ready", lambda: _readiness(probes))
    app.add_url_rule("/metrics", "metrics", lambda: Response(exposition(), mimetype="text/plain; version=0.0.4"))
    app.add_url_rule("/openapi.json", "openapi", _openapi)
    return app


def json_answer(body: object, status: int = 200) -> Response:
    """JSON by msgspec: Decimal as string, datetime as ISO 8601 in UTC, Structs by their field names."""
    return Response(msgspec.json.encode(body), status, mimetype="application/json")


def problem_answer(error: BalizaError) -> Response:
    """The error as application/problem+json, with Retry-After where trying again can help."""
    answer = Response(msgspec.json.encode(problem(error)), error.status, mimetype="application/problem+json")
    if isinstance(error, (StoreDown, TooManyEvents)):
        answer.headers["Retry-After"] = str(error.retry_after_s)
    if isinstance(error, Unauthorized):
        answer.headers["WWW-Authenticate"] = "Bearer"
    return answer


def bearer() -> str:
    """The bearer key of the request. Unauthorized when there is none."""
    return bearer_of(request.headers.get("Authorization", ""))


def bearer_of(authorization: str) -> str:
    """The bearer key of such a header. Unauthorized when there is none."""
    kind, _, key = authorization.strip().partition(" ")
    if kind.lower() != "bearer" or not key.strip():
        came = f"the scheme {kind[:20]!r}" if key else "none"
        raise Unauthorized(f"expected the header `Authorization: Bearer sk_…` with the site's secret key, got {came}")
    return key.strip()


def site_of_secret(registry: SiteRegistry) -> Site:
    """The site whose secret key came as bearer. Unauthorized when nobody's."""
    return site_with_secret(registry, bearer())


def site_with_secret(registry: SiteRegistry, secret: str) -> Site:
    """The site of a secret key. Unauthorized when nobody's."""
    site = registry.with_secret(secret)
    if site is None:
        raise Unauthorized("the bearer key is not the secret key of any site; `baliza site list` shows the sites")
    return site


def site_of_key(registry: SiteRegistry) -> Site:
    """The site of the request: by secret key (bearer) or, from a browser, by `key=pk_…` and an allowed origin."""
    key = request.args.get("key")
    return site_of_secret(registry) if key is None else site_of_publishable(registry, key, request.headers.get("Origin"))


def site_of_publishable(registry: SiteRegistry, key: str, origin: str | None) -> Site:
    """The site of a publishable key, asked from a page of this origin. Unauthorized, Forbidden."""
    site = registry.by_key.get(key)
    if site is None:
        raise Unauthorized("`key` is not the publishable key of any site; `baliza site list` shows them")
    if origin and not site.allows(origin):
        raise Forbidden(f"the site {site.name} does not allow the origin {origin}; add it with `baliza site origins`")
    return site


def int_argument(name: str, default: int, least: int, most: int) -> int:
    """A whole number from the query string. BadRequest says what was expected and what came."""
    return whole_number(name, request.args.get(name), default, least, most)


def whole_number(name: str, raw: str | None, default: int, least: int, most: int) -> int:
    """The argument `name` as a whole number. BadRequest says what was expected and what came."""
    if raw is None:
        return default
    if not re.fullmatch("[0-9]{1,18}", raw) or not least <= int(raw) <= most:
        raise BadRequest(f"{name}: expected a whole number from {least} to {most}, got {raw[:50]!r}")
    return int(raw)


def _http_problem(error: HTTPException) -> Response:
    body = {"type": "about:blank", "title": error.name, "status": error.code, "detail": error.description}
    answer = Response(msgspec.json.encode(body), error.code, mimetype="application/problem+json")
    for name, value in error.get_headers():
        if name.lower() not in ("content-type", "content-length"):
            answer.headers[name] = value
    return answer


def _unforeseen(error: Exception) -> Response:
    log.error("unforeseen error at %s %s", request.method, request.path, exc_info=error)
    body = {"type": "about:blank", "title": BalizaError.title, "status": 500, "detail": "the log says more"}
    return Response(msgspec.json.encode(body), 500, mimetype="application/problem+json")


def _readiness(probes: Mapping[str, Probe]) -> Response:
    found: dict[str, object] = {}
    ready = True
    for name, probe in probes.items():
        try:
            found[name] = probe()
        except BalizaError as error:
            found[name] = f"not ready: {error.public}"
            ready = False
        except Exception:
            log.exception("the probe %s failed", name)
            found[name] = "not ready: it could not be asked; the log says more"
            ready = False
    return json_answer({"ready": ready, **found}, 200 if ready else 503)


def _openapi() -> Response:
    return Response(files("schema").joinpath("openapi.json").read_text(), mimetype="application/json")
