"""GET /v1/offers as plain WSGI: it stands before the app's framework, which would cost more than the decision itself."""

from collections.abc import Callable, Iterable
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

from baliza.errors import BalizaError, StoreDown, Unauthorized, problem
from baliza.sites import SiteRegistry
from personalizer.offers.asking import asked_of, asker_of, knows, wants_no_profile
from personalizer.offers.deciding import Decider

__all__ = ["OFFERS_PATH", "OffersFirst", "encode_exactly"]

OFFERS_PATH: Final = "/v1/offers"
Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Wsgi = Callable[[Environ, StartResponse], Iterable[bytes]]
Headers = list[tuple[str, str]]

# JSON with decimals as numbers that keep every digit: 39.90 stays 39.90.
encode_exactly: Final = msgspec.json.Encoder(decimal_format="number").encode
_STATUS: Final = {400: "400 BAD REQUEST", 401: "401 UNAUTHORIZED", 403: "403 FORBIDDEN"}
_ONLY_GET: Final = msgspec.json.encode(
    {"type": "about:blank", "title": "Method Not Allowed", "status": 405, "detail": "offers are asked for with GET"}
)
_PROBLEM: Final = ("Content-Type", "application/problem+json")
_PREFLIGHT: Final = [("Access-Control-Allow-Methods", "GET"), ("Access-Control-Max-Age", "3600")]
_COMMON: Final = [("Cache-Control", "no-store"), ("Vary", "Origin")]


class OffersFirst:
    """Answers offers, and hands every other request on. registry: raises StoreDown when it was never read."""

    def __init__(
        self, otherwise: Wsgi, decider: Decider, registry: Callable[[], SiteRegistry], monotonic: Callable[[], float]
    ) -> None:
        self._otherwise, self._decider, self._registry, self._monotonic = otherwise, decider, registry, monotonic

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        method = environ["REQUEST_METHOD"]
        if environ.get("PATH_INFO") != OFFERS_PATH:
            return self._otherwise(environ, start_response)
        if method not in ("GET", "HEAD", "OPTIONS"):
            start_response("405 METHOD NOT ALLOWED", [_PROBLEM, ("Allow", "GET, HEAD, OPTIONS")])
            return [_ONLY_GET]
        began = self._monotonic()
        arguments = _arguments(environ.get("QUERY_STRING", ""))
        headers = _COMMON + self._opened(environ.get("HTTP_ORIGIN"), arguments.get("key", ""), method)
        if method == "OPTIONS":
            start_response("204 NO CONTENT", headers)
            return [b""]
        try:
            body = self._answer(environ, arguments, began)
        except BalizaError as error:
            return _refused(error, headers, start_response)
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body))), *headers])
        return [body] if method == "GET" else [b""]

    def _answer(self, environ: Environ, arguments: dict[str, str], began: float) -> bytes:
        """Raises BadRequest and its kin."""
        asked = asked_of(arguments)
        try:
            registry = self._registry()
        except StoreDown:
            return encode_exactly(self._decider.without_store(asked, began))
        asker = asker_of(registry, arguments, environ.get("HTTP_AUTHORIZATION", ""), environ.get("HTTP_ORIGIN"))
        may_know = knows(asker, asked.visitor_id, environ.get("HTTP_COOKIE", ""))
        if wants_no_profile(environ.get("HTTP_SEC_GPC", ""), environ.get("HTTP_DNT", "")):
            may_know = "nothing"
        return encode_exactly(self._decider.of_visitor(asker.site, asked, may_know, began))

    def _opened(self, origin: str | None, key: str, method: str) -> Headers:
        """Let the browser hand the answer to the page if the site allows its origin."""
        if not origin:
            return []
        try:
            site = self._registry().by_key.get(key)
        except StoreDown:
            return []
        if site is None or not site.allows(origin):
            return []
        allowed = [("Access-Control-Allow-Origin", origin), ("Access-Control-Allow-Credentials", "true")]
        return allowed + _PREFLIGHT if method == "OPTIONS" else allowed


def _arguments(query: str) -> dict[str, str]:
    """Of each argument the first."""
    return dict(reversed(parse_qsl(query, keep_blank_values=True)))


def _refused(error: BalizaError, headers: Headers, start_response: StartResponse) -> list[bytes]:
    body = msgspec.json.encode(problem(error))
    told = [_PROBLEM, ("Content-Length", str(len(body)))]
    if isinstance(error, Unauthorized):
        told.append(("WWW-Authenticate", "Bearer"))
    start_response(_STATUS.get(error.status, f"{error.status} ERROR"), told + headers)
    return [body]
