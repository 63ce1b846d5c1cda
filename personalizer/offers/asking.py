"""What is asked of the personalizer, and by whom: the arguments of GET /v1/offers and what the asker may know. Pure."""

import re
from collections.abc import Mapping
from typing import Final, Literal

from msgspec import Struct

from baliza.errors import BadRequest, Forbidden
from baliza.http import bearer_of, site_of_publishable, site_with_secret, whole_number
from baliza.sites import Site, SiteRegistry

__all__ = [
    "COOKIE",
    "MAX_ID",
    "MAX_OFFERS",
    "Asked",
    "Asker",
    "Knows",
    "asked_of",
    "asker_of",
    "knows",
    "placement_of",
    "wants_no_profile",
]

COOKIE: Final = "bz_v"  # the visitor's id, on the shop's own domain
PLACEMENT: Final = re.compile(r"[a-z0-9-]{1,50}")
MAX_ID: Final = 100
MAX_OFFERS: Final = 50
_COOKIE: Final = re.compile(rf"(?:^|;\s*){COOKIE}=([A-Za-z0-9_-]{{1,100}})(?:;|$)")
# Nobody guesses a random id of this length; a number, a name or an address is shorter or has other characters in it.
_RANDOM: Final = re.compile(r"[A-Za-z0-9_-]{20,100}")
# nothing: the profile is not read. all: who asks is the visitor themselves, or the shop's server.
Knows = Literal["nothing", "all"]


class Asked(Struct, frozen=True):
    """The arguments of a request for offers."""

    visitor_id: str | None
    placement: str
    item_id: str | None
    category: str | None
    limit: int
    explain: bool


class Asker(Struct, frozen=True):
    """The site that a key stands for, and whether it was the secret one."""

    site: Site
    is_server: bool


def asked_of(arguments: Mapping[str, str]) -> Asked:
    """The arguments, checked. Raises BadRequest."""
    return Asked(
        visitor_id=_text(arguments, "visitor"),
        placement=placement_of(arguments.get("placement", "default")),
        item_id=_text(arguments, "item_id"),
        category=_text(arguments, "category"),
        limit=whole_number("limit", arguments.get("limit"), 5, 1, MAX_OFFERS),
        explain=whole_number("explain", arguments.get("explain"), 0, 0, 1) == 1,
    )


def placement_of(given: str) -> str:
    """A placement's name, checked. Raises BadRequest."""
    if not PLACEMENT.fullmatch(given):
        raise BadRequest(f"placement: expected 1 to 50 of a-z, 0-9 and hyphen, got {given[:100]!r}")
    return given


def _text(arguments: Mapping[str, str], name: str) -> str | None:
    given = arguments.get(name)
    if given is not None and not 1 <= len(given) <= MAX_ID:
        raise BadRequest(f"{name}: expected 1 to {MAX_ID} characters, got {len(given)}")
    return given


def asker_of(registry: SiteRegistry, arguments: Mapping[str, str], authorization: str, origin: str | None) -> Asker:
    """Who asks: with `key=pk_…` a browser, from an origin that the site allows; else a server, with the secret key.

    Raises Unauthorized, Forbidden.
    """
    key = arguments.get("key")
    if key is not None:
        asker = Asker(site_of_publishable(registry, key, origin), False)
    else:
        asker = Asker(site_with_secret(registry, bearer_of(authorization)), True)
    if arguments.get("explain", "0") != "0" and not asker.is_server:
        raise Forbidden("explain: it tells what the shop knows and earns; ask with the secret key")
    return asker


def knows(asker: Asker, visitor_id: str | None, cookie: str) -> Knows:
    """What the asker may learn of this visitor. `cookie`: the Cookie header.

    A publishable key is no secret and a cookie is written by whoever sends it, so only an id that nobody can guess, as the
    beacon makes it, proves whose it is. Of any other the profile is not even read: a list tells what is in a cart by what it
    leaves out, too. A cookie of another visitor proves the opposite.
    """
    if visitor_id is None:
        return "nothing"
    if asker.is_server:
        return "all"
    held = _COOKIE.search(cookie)
    if held is not None and held[1] != visitor_id:
        return "nothing"
    return "all" if _RANDOM.fullmatch(visitor_id) else "nothing"


def wants_no_profile(gpc: str, dnt: str) -> bool:
    """True when the browser says no for its visitor, whatever the shop says (Sec-GPC, DNT)."""
    return gpc == "1" or dnt == "1"
