"""The registry: sites with their keys, console users, report tokens. Small, read often, kept in Redis.

A secret key is high-entropy, so its SHA-256 is stored; a password is a person's, so it is stored as scrypt.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct
from werkzeug.security import check_password_hash, generate_password_hash

from baliza.errors import BadRequest, Conflict, NotFound, StoreDown
from baliza.stores import RedisClient, call
from schema import keys

__all__ = [
    "CachedRegistry",
    "Site",
    "SiteRegistry",
    "User",
    "add_site",
    "add_token",
    "add_user",
    "check_user",
    "load_sites",
    "set_offers",
    "set_origins",
    "site_of_token",
]

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
USER_NAME = re.compile(r"[\w.@+-]{1,100}")
HOST = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9.])?|[0-9a-f]*:[0-9a-f:.]+")
MOST_EXPLORED = 0.3  # of all that is shown: what is more is no shop's ranking any more
MOST_SEEN = 1000  # times that an offer is seen before it rests
DEFAULT_PORTS = {"http": 80, "https": 443}


class Site(Struct, frozen=True):
    """One shop. `origins`: allowed browser origins, `*` for any. `trust_browser`: money said by the browser is revenue.

    `count_automation`: browsers driven by a program are people here, as on a staging site that tests walk through.
    offer_value: between relevance alone (0) and expected money (1). offer_explore: share of offers shown to learn, 0 to 0.3.
    offer_cap: seen so often without a click, or dismissed, an offer rests; 0: never.
    """

    name: str
    publishable_key: str
    secret_digest: str
    origins: tuple[str, ...] = ()
    timezone: str = "UTC"
    trust_browser: bool = True
    require_consent: bool = False
    count_automation: bool = False
    offer_value: float = 0.3
    offer_explore: float = 0.05
    offer_cap: int = 10

    def allows(self, origin: str) -> bool:
        """True when a page of this origin may use the publishable key."""
        return origin in self.origins or "*" in self.origins


class User(Struct, frozen=True):
    """A person who logs in to the console and sees these sites."""

    name: str
    password_hash: str
    sites: tuple[str, ...]


@dataclass(frozen=True)
class SiteRegistry:
    """An immutable snapshot of all sites, found by either key or by name."""

    by_key: Mapping[str, Site]
    by_secret: Mapping[str, Site]
    by_name: Mapping[str, Site]

    @classmethod
    def of(cls, sites: Iterable[Site]) -> "SiteRegistry":
        sites = list(sites)
        return cls(
            {site.publishable_key: site for site in sites},
            {site.secret_digest: site for site in sites},
            {site.name: site for site in sites},
        )

    def with_secret(self, secret: str) -> Site | None:
        """The site of a secret key. Only digests are compared, the last comparison in constant time."""
        given = digest(secret)
        site = self.by_secret.get(given)
        return site if site and hmac.compare_digest(site.secret_digest, given) else None


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def load_sites(redis: RedisClient) -> SiteRegistry:
    """Read the registry; one round trip."""
    return decode_sites(redis.hgetall(keys.SITES).values())


def decode_sites(stored: Iterable[bytes]) -> SiteRegistry:
    """The registry from the stored JSON objects."""
    return SiteRegistry.of(msgspec.json.decode(raw, type=Site) for raw in stored)


def add_site(
    redis: RedisClient,
    name: str,
    origins: Iterable[str],
    *,
    timezone: str = "UTC",
    publishable_key: str | None = None,
    secret_key: str | None = None,
    require_consent: bool = False,
    count_automation: bool = False,
) -> tuple[Site, str]:
    """Register a site. Answers it with its secret key, which is not stored and so is told only now.

    Raises BadRequest on a bad name or origin, Conflict when the name is taken.
    """
    if not NAME.fullmatch(name):
        raise BadRequest(f"site name: expected lower-case letters, digits and hyphens (at most 40), got {name!r}")
    secret_key = secret_key or f"sk_{secrets.token_urlsafe(24)}"
    site = Site(
        name=name,
        publishable_key=publishable_key or f"pk_{secrets.token_urlsafe(12)}",
        secret_digest=digest(secret_key),
        origins=tuple(checked_origin(origin) for origin in origins),
        timezone=checked_timezone(timezone),
        require_consent=require_consent,
        count_automation=count_automation,
    )
    if not redis.hsetnx(keys.SITES, name, msgspec.json.encode(site)):
        raise Conflict(f"a site named {name!r} exists already; `baliza site list` shows it")
    return site, secret_key


def checked_timezone(name: str) -> str:
    """The name of a time zone. BadRequest when nobody knows it."""
    try:
        return ZoneInfo(name).key
    except (KeyError, ValueError, OSError):  # a folder of zones, such as Europe, is an OSError
        raise BadRequest(f"time zone: expected a name such as Europe/Madrid or UTC, got {name!r}") from None


def checked_origin(origin: str) -> str:
    """scheme://host[:port] in the form that browsers send, or `*`. BadRequest when it is neither."""
    if origin == "*":
        return origin
    try:
        parts = urlsplit(origin)
        port = parts.port
        host = (parts.hostname or "").encode("idna").decode()  # browsers say xn--… for what is not ASCII
    except (ValueError, UnicodeError):
        host, port = "", None
    more = (parts.path.strip("/"), parts.query, parts.fragment, parts.username, parts.password) if host else ()
    if not HOST.fullmatch(host) or parts.scheme not in DEFAULT_PORTS or any(more):
        raise BadRequest(f"origin: expected https://host[:port], without a path, or *, got {origin!r}")
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}" + (f":{port}" if port and port != DEFAULT_PORTS[parts.scheme] else "")


def add_user(redis: RedisClient, name: str, password: str, sites: Iterable[str]) -> User:
    """Register a console user, or set the password and sites of one.

    BadRequest on a bad name or a short password, NotFound when there is no such site.
    """
    if not USER_NAME.fullmatch(name):
        raise BadRequest(f"user name: expected 1 to 100 letters, digits or . _ @ + -, got {name!r}")
    if len(password) < 8:
        raise BadRequest(f"password: expected at least 8 characters, got {len(password)}")
    sites = tuple(sites)
    known = load_sites(redis).by_name
    for site in sites:
        if site not in known:
            raise NotFound(f"there is no site named {site!r}; `baliza site list` shows all")
    user = User(name, generate_password_hash(password), sites)
    redis.hset(keys.USERS, name, msgspec.json.encode(user))
    return user


@cache
def _nobodys_hash() -> str:
    return generate_password_hash(secrets.token_hex(8))


def check_user(redis: RedisClient, name: str, password: str) -> User | None:
    """The user if the password is right. Takes the same time whether or not the name exists."""
    nobodys_hash = _nobodys_hash()  # made before we know whether it is needed, else the first time would tell
    stored = redis.hget(keys.USERS, name)
    user = msgspec.json.decode(stored, type=User) if stored else None
    right = check_password_hash(user.password_hash if user else nobodys_hash, password)
    return user if user and right else None


def add_token(redis: RedisClient, site: str, token: str | None = None) -> str:
    """Make a bearer token that may read one site's reports; only its digest is stored."""
    if not redis.hexists(keys.SITES, site):
        raise NotFound(f"there is no site named {site!r}; `baliza site list` shows all")
    token = token or f"tok_{secrets.token_urlsafe(24)}"
    redis.hset(keys.TOKENS, digest(token), site)
    return token


def site_of_token(redis: RedisClient, token: str) -> str | None:
    """The name of the site whose reports the token may read. The look-up is by digest, so its time tells nothing."""
    stored = redis.hget(keys.TOKENS, digest(token))
    return stored.decode() if stored else None


class CachedRegistry:
    """The registry for request threads: read again when older than `max_age_s`; the old one serves while Redis is away."""

    def __init__(self, redis: RedisClient, monotonic: Callable[[], float], max_age_s: float = 2.0) -> None:
        self._redis, self._monotonic, self._max_age_s = redis, monotonic, max_age_s
        self._known: SiteRegistry | None = None
        self._read_at = 0.0

    def __call__(self) -> SiteRegistry:
        """The registry of now. Blocks for one round trip at most every `max_age_s`. StoreDown if it was never read."""
        now = self._monotonic()
        if self._known is not None and now - self._read_at <= self._max_age_s:
            return self._known
        # Set before asking: while one thread waits for a store that is away, the others go on with what is known.
        self._read_at = now
        try:
            self._known = call(lambda: load_sites(self._redis))
        except StoreDown:
            if self._known is None:
                raise
        return self._known


def set_origins(redis: RedisClient, name: str, origins: Iterable[str]) -> Site:
    """Replace the origins that a site allows. NotFound when there is no such site, BadRequest on a bad origin."""
    return _changed(redis, name, origins=tuple(checked_origin(origin) for origin in origins))


def set_offers(
    redis: RedisClient, name: str, value: float | None = None, explore: float | None = None, cap: int | None = None
) -> Site:
    """Change how a site's offers are chosen and ranked; None leaves as it is. NotFound, BadRequest when out of bounds."""
    given = {"offer_value": (value, 1.0), "offer_explore": (explore, MOST_EXPLORED), "offer_cap": (cap, MOST_SEEN)}
    for field, (number, most) in given.items():
        if number is not None and not 0 <= number <= most:
            raise BadRequest(f"{field}: expected a number from 0 to {most:g}, got {number:g}")
    return _changed(redis, name, **{field: number for field, (number, _) in given.items() if number is not None})


def _changed(redis: RedisClient, name: str, **fields: object) -> Site:
    stored = redis.hget(keys.SITES, name)
    if stored is None:
        raise NotFound(f"there is no site named {name!r}; `baliza site list` shows all")
    site = msgspec.structs.replace(msgspec.json.decode(stored, type=Site), **fields)
    redis.hset(keys.SITES, name, msgspec.json.encode(site))
    return site
