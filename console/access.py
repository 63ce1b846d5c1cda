"""Who asks: a person with the console's cookie, or a program with a report token; and which site they may read."""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from typing import Final

import msgspec
from flask import request, session

from baliza.errors import Forbidden, NotFound, Unauthorized
from baliza.http import bearer
from baliza.sites import Site, SiteRegistry, User, site_of_token
from baliza.stores import RedisClient, call
from schema import keys

__all__ = ["Registry", "check_form", "current_user", "form_token", "log_in", "log_out", "report_site", "site_of_user"]

Registry = Callable[[], SiteRegistry]
FORM_FIELD: Final = "form_token"


def current_user(redis: RedisClient) -> User | None:
    """The person of the cookie, as the registry has them now: removed, or with a new password, they are logged out."""
    name = session.get("user")
    stored = call(lambda: redis.hget(keys.USERS, name)) if name else None
    if not stored:
        return None
    user = msgspec.json.decode(stored, type=User)
    return user if hmac.compare_digest(str(session.get("mark", "")), _mark(user)) else None


def log_in(user: User) -> None:
    """Start a session of the console. The form token changes, so that one planted before is worth nothing."""
    session.clear()
    session.permanent = True
    session.update(user=user.name, mark=_mark(user))


def log_out() -> None:
    session.clear()


def form_token() -> str:
    """The token that every form of this browser must send back."""
    if "form" not in session:
        session["form"] = secrets.token_urlsafe(24)
    return str(session["form"])


def check_form() -> None:
    """Forbidden unless the form carries the token that was given to this browser."""
    known, sent = str(session.get("form", "")), request.form.get(FORM_FIELD, "")
    if not known or not hmac.compare_digest(known.encode(), sent.encode()):
        raise Forbidden(
            "form_token: expected the one that the form came with, got another; load the page anew and try again"
        )


def report_site(redis: RedisClient, registry: Registry) -> Site:
    """The site of a request for a report: by bearer token, else by the cookie. Unauthorized, Forbidden, NotFound."""
    if "Authorization" in request.headers:
        return _site_of_bearer(redis, registry)
    user = current_user(redis)
    if user is None:
        raise Unauthorized("expected `Authorization: Bearer tok_…` with a report token, or a person logged in, got neither")
    return site_of_user(user, registry())


def _site_of_bearer(redis: RedisClient, registry: Registry) -> Site:
    token = bearer()
    name = call(lambda: site_of_token(redis, token))
    if name is None:
        raise Unauthorized("the bearer token may read no site's reports; `baliza token add` makes one that does")
    asked = request.args.get("site") or name
    if asked != name:
        raise Forbidden(f"site: expected {name}, whose reports the token may read, got {asked!r}")
    return _named(registry(), name)


def site_of_user(user: User, registry: SiteRegistry) -> Site:
    """The site that the person asked for with `site=`, else their first. Forbidden when it is not theirs."""
    asked = request.args.get("site")
    if asked and asked not in user.sites:
        raise Forbidden(f"site: expected one of {', '.join(user.sites) or 'none'}, which {user.name} may see, got {asked!r}")
    mine = [name for name in user.sites if name in registry.by_name]
    if not asked and not mine:
        raise NotFound(f"{user.name} may see no site yet; `baliza user add {user.name} --site NAME` gives one")
    return _named(registry, asked or mine[0])


def _named(registry: SiteRegistry, name: str) -> Site:
    site = registry.by_name.get(name)
    if site is None:
        raise NotFound(f"there is no site named {name!r} any more; `baliza site list` shows all")
    return site


def _mark(user: User) -> str:
    return hashlib.sha256(user.password_hash.encode()).hexdigest()[:16]
