"""Who may send, and what of it may be kept: keys, origins, consent, the visitor's cookie."""

import re
from typing import Final, NamedTuple

import msgspec

from baliza.errors import BadRequest, Forbidden, StoreDown, Unauthorized
from baliza.sites import Site, SiteRegistry
from tracker.request import Request, readable_by

__all__ = [
    "COOKIE",
    "Sender",
    "WrongMethod",
    "admit_browser",
    "admit_server",
    "cors_headers",
    "known_visitor",
    "said_consent",
    "visitor_cookie",
]

COOKIE: Final = "bz_v"
COOKIE_MAX_AGE_S: Final = 13 * 30 * 24 * 3600  # 13 months, the most that data protection authorities accept
_VISITOR_COOKIE = re.compile(rf"(?:^|;\s*){COOKIE}=([A-Za-z0-9_-]{{1,100}})(?:;|$)")


class WrongMethod(BadRequest):
    """A path that is known and a method that is not."""

    status = 405
    title = "Method not allowed"


class Sender(NamedTuple):
    """The site that an admitted request speaks for, by which door it came, and whether its visitor wants to be unseen."""

    site: Site
    kind: str
    opted_out: bool

    def allows(self, consent: object) -> bool:
        """True when an event that says this about consent may be kept."""
        if self.opted_out:
            return False
        return consent == "granted" or (consent is None and not self.site.require_consent)


class _Said(msgspec.Struct):
    consent: object = None


_said = msgspec.json.Decoder(_Said)


def said_consent(raw: bytes) -> object:
    """What a rejected event says about consent, as far as it can be read."""
    try:
        return _said.decode(raw).consent
    except (ValueError, RecursionError):
        return None


def admit_server(request: Request, registry: SiteRegistry | None) -> Sender | None:
    """The sender of a request with a bearer key; None without one. Unauthorized when it is nobody's."""
    given = request.header("authorization")
    if not given:
        return None
    kind, _, secret = given.partition(" ")
    if kind.lower() != "bearer":
        raise Unauthorized("expected the header `Authorization: Bearer sk_…`, got another scheme")
    site = _known(registry).with_secret(secret.strip())
    if site is None:
        raise Unauthorized("the bearer key is not the secret key of any site; `baliza site list` shows the sites")
    # Its headers are the server's own: they say nothing about the visitor.
    return Sender(site, "server", opted_out=False)


def admit_browser(request: Request, registry: SiteRegistry | None, key: str, kind: str) -> Sender:
    """The sender of a request with this publishable key; `kind`: browser or pixel.

    Raises Unauthorized, Forbidden on a foreign origin, StoreDown while the registry was never read.
    """
    if not key:
        raise Unauthorized('expected the publishable key as "key" (or the secret key as bearer), got none')
    site = _known(registry).by_key.get(key)
    if site is None:
        raise Unauthorized(f"{key!r} is not the publishable key of any site; `baliza site list` shows them")
    origin = request.header("origin")
    if origin and not site.allows(origin):
        raise Forbidden(f"the site {site.name} does not allow the origin {origin}; `baliza site origins` changes that")
    return Sender(site, kind, _opted_out(request))


def _known(registry: SiteRegistry | None) -> SiteRegistry:
    if registry is None:
        raise StoreDown("the live store has not been reached yet, so that keys cannot be checked")
    return registry


def _opted_out(request: Request) -> bool:
    """Global Privacy Control or Do Not Track: nothing is stored."""
    return request.header("sec-gpc") == "1" or request.header("dnt") == "1"


def known_visitor(request: Request) -> str:
    """The visitor that the first-party cookie names; empty when there is none, or one that we did not make."""
    match = _VISITOR_COOKIE.search(request.header("cookie"))
    return match[1] if match else ""


def visitor_cookie(visitor_id: str, *, secure: bool) -> tuple[str, str]:
    """The header that makes a browser remember this visitor."""
    only_https = " Secure;" if secure else ""
    value = f"{COOKIE}={visitor_id}; Max-Age={COOKIE_MAX_AGE_S}; Path=/;{only_https} HttpOnly; SameSite=Lax"
    return ("Set-Cookie", value)


def cors_headers(
    request: Request, registry: SiteRegistry | None, *, preflight: bool = False, refused: bool = False
) -> list[tuple[str, str]]:
    """What lets a page read the answer; none where no site allows its origin. A preflight does not say which site it is.

    A refusal may be read by all: to who cannot read it, it looks like a broken network, and is asked for again and again.
    """
    origin = request.header("origin")
    allowed = any(site.allows(origin) for site in (registry.by_name.values() if registry else ()))
    if not origin or not (refused or allowed):
        return []
    headers = readable_by(origin)
    if allowed:
        headers.append(("Access-Control-Allow-Credentials", "true"))
    if preflight:
        headers += [
            ("Access-Control-Allow-Methods", "POST"),
            ("Access-Control-Allow-Headers", "Content-Type, Authorization"),
            ("Access-Control-Max-Age", "3600"),
        ]
    return headers
