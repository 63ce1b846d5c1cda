"""GET /v1/offers, before any framework, which would cost more than the decision itself.

OffersEndpoint is the whole of it, as the loop of the public port asks it; OffersFirst is the same for WSGI servers.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

from baliza.errors import BalizaError, StoreDown, Unauthorized, problem
from baliza.inline import Reply
from baliza.sites import Site, SiteRegistry
from personalizer.offers.answer import Fallback
from personalizer.offers.asking import Asked, asked_of, asker_of, knows, wants_no_profile
from personalizer.offers.deciding import Decider
from personalizer.offers.profiles import ProfileReader, read_profile
from schema import keys

__all__ = ["OFFERS_PATH", "OffersEndpoint", "OffersFirst", "Wanted", "encode_exactly"]

OFFERS_PATH: Final = "/v1/offers"
Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Wsgi = Callable[[Environ, StartResponse], Iterable[bytes]]
Headers = list[tuple[str, str]]

# JSON with decimals as numbers that keep every digit: 39.90 stays 39.90.
encode_exactly: Final = msgspec.json.Encoder(decimal_format="number").encode
_ONLY_GET: Final = msgspec.json.encode(
    {"type": "about:blank", "title": "Method Not Allowed", "status": 405, "detail": "offers are asked for with GET"}
)
_PROBLEM: Final = ("Content-Type", "application/problem+json")
_JSON: Final = ("Content-Type", "application/json")
_PREFLIGHT: Final = [("Access-Control-Allow-Methods", "GET"), ("Access-Control-Max-Age", "3600")]
_COMMON: Final = [("Cache-Control", "no-store"), ("Vary", "Origin")]
# What the endpoint looks at, by the names that WSGI has for it.
_HEADERS: Final = {
    name: "HTTP_" + name.upper().replace("-", "_") for name in ("authorization", "cookie", "dnt", "origin", "sec-gpc")
}


@dataclass(slots=True)
class Wanted:
    """A request that may be answered, as soon as the profile under `key` was read. began: when it came (monotonic)."""

    decider: Decider
    site: Site
    asked: Asked
    key: str | None
    headers: Headers
    began: float

    def answer(self, stored: bytes | StoreDown | None) -> Reply:
        """The offers. stored: the profile, None when there is none or it may not be known."""
        fallback: Fallback | None = "store_down"
        profile = None
        if not isinstance(stored, StoreDown):
            profile = read_profile(stored)
            fallback = None if profile else "no_profile"
        decision = self.decider.of_profile(self.site, self.asked, profile, fallback, self.began)
        return Reply(200, self.headers, encode_exactly(decision))


@dataclass(frozen=True)
class OffersEndpoint:
    """monotonic: seconds. wait_s: of an offer's budget the live store may use so much, the rest is for deciding."""

    decider: Decider
    partitions: int
    monotonic: Callable[[], float]
    wait_s: float

    def ask(self, method: str, query: str, headers: Mapping[str, str], registry: SiteRegistry | None) -> Reply | Wanted:
        """The answer, or what is needed for it. headers: names in lower case. registry: None when it was never read."""
        if method not in ("GET", "HEAD", "OPTIONS"):
            return Reply(405, [_PROBLEM, ("Allow", "GET, HEAD, OPTIONS")], _ONLY_GET)
        arguments = dict(reversed(parse_qsl(query, keep_blank_values=True)))  # of each the first
        told = _COMMON + _opened(registry, headers.get("origin"), arguments.get("key", ""), method)
        if method == "OPTIONS":
            return Reply(204, told, b"")
        try:
            return self._wanted(arguments, headers, registry, [_JSON, *told])
        except BalizaError as error:
            return _refused(error, told)

    def _wanted(
        self, arguments: Mapping[str, str], headers: Mapping[str, str], registry: SiteRegistry | None, told: Headers
    ) -> Reply | Wanted:
        """Raises BadRequest and its kin."""
        began, asked = self.monotonic(), asked_of(arguments)
        if registry is None:
            return Reply(200, told, encode_exactly(self.decider.without_store(asked, began)))
        asker = asker_of(registry, arguments, headers.get("authorization", ""), headers.get("origin"))
        no_profile = wants_no_profile(headers.get("sec-gpc", ""), headers.get("dnt", ""))
        visitor_id, key = None if no_profile else asked.visitor_id, None
        if visitor_id is not None and knows(asker, visitor_id, headers.get("cookie", "")) == "all":
            key = keys.visitor(keys.partition_of(visitor_id, self.partitions), asker.site.name, visitor_id)
        return Wanted(self.decider, asker.site, asked, key, told, began)


def _opened(registry: SiteRegistry | None, origin: str | None, key: str, method: str) -> Headers:
    """Let the browser hand the answer to the page if the site allows its origin."""
    site = registry.by_key.get(key) if origin and registry else None
    if site is None or not origin or not site.allows(origin):
        return []
    allowed = [("Access-Control-Allow-Origin", origin), ("Access-Control-Allow-Credentials", "true")]
    return allowed + _PREFLIGHT if method == "OPTIONS" else allowed


def _refused(error: BalizaError, headers: Headers) -> Reply:
    told = [_PROBLEM, *headers]
    if isinstance(error, Unauthorized):
        told.append(("WWW-Authenticate", "Bearer"))
    return Reply(error.status, told, msgspec.json.encode(problem(error)))


class OffersFirst:
    """WSGI: answers offers, and hands every other request on. registry: raises StoreDown when it was never read."""

    def __init__(
        self, otherwise: Wsgi, endpoint: OffersEndpoint, profiles: ProfileReader, registry: Callable[[], SiteRegistry]
    ) -> None:
        self._otherwise, self._endpoint, self._profiles, self._registry = otherwise, endpoint, profiles, registry

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if environ.get("PATH_INFO") != OFFERS_PATH:
            return self._otherwise(environ, start_response)
        headers = {name: environ[wsgi] for name, wsgi in _HEADERS.items() if wsgi in environ}
        method = environ["REQUEST_METHOD"]
        found = self._endpoint.ask(method, environ.get("QUERY_STRING", ""), headers, self._sites())
        status, told, body = found if isinstance(found, Reply) else found.answer(self._stored(found.key))
        length = [] if status == HTTPStatus.NO_CONTENT else [("Content-Length", str(len(body)))]
        start_response(f"{status} {HTTPStatus(status).phrase}", told + length)
        return [b""] if method == "HEAD" else [body]

    def _sites(self) -> SiteRegistry | None:
        try:
            return self._registry()
        except StoreDown:
            return None

    def _stored(self, key: str | None) -> bytes | StoreDown | None:
        try:
            return None if key is None else self._profiles.read(key)
        except StoreDown as error:
            return error
