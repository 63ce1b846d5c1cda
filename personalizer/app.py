"""The personalizer over HTTP: GET /v1/offers for shops and browsers, GET /v1/carts/abandoned for shops' servers.

Offers never break a shop's page: what is missing makes them poorer, and the answer says what it was in `fallback`.
"""

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec
from flask import Flask, Response, request

from baliza.errors import BadRequest, StoreDown
from baliza.http import base_app, int_argument, site_of_key, site_of_secret
from baliza.metrics import OFFER_SECONDS, OFFERS
from baliza.settings import Settings
from baliza.sites import Site, SiteRegistry
from baliza.stores import RedisClient, call
from personalizer.breaker import Breaker
from personalizer.cart_reader import CartReader
from personalizer.carts import Place
from personalizer.decision import Decision, Fallback, Offer, decide
from personalizer.models.shelf import ModelShelf
from personalizer.profiles import KnownSites, ProfileReader
from schema.profile import VisitorProfile

__all__ = ["Asked", "create_app", "exact_json"]

PLACEMENT: Final = re.compile(r"[a-z0-9-]{1,50}")
MAX_ID: Final = 100
MAX_OFFERS: Final = 50
MAX_CARTS: Final = 500
OFFERS_PATH: Final = "/v1/offers"

log = logging.getLogger("baliza.personalizer")
_encode = msgspec.json.Encoder(decimal_format="number").encode


@dataclass(frozen=True)
class Asked:
    """The arguments of GET /v1/offers."""

    visitor_id: str | None
    placement: str
    item_id: str | None
    limit: int


def create_app(
    settings: Settings,
    redis: RedisClient,
    registry: Callable[[], SiteRegistry],
    shelf: ModelShelf,
    now_ms: Callable[[], int],
    monotonic: Callable[[], float],
    new_id: Callable[[], str],
) -> Flask:
    """Build the personalizer.

    registry: answers the sites, raises StoreDown when they were never read (baliza.sites.CachedRegistry).
    now_ms: milliseconds since the epoch, UTC. monotonic: seconds. new_id: makes decision ids.
    """
    app = base_app("personalizer", {"live_store": lambda: call(redis.ping) and "answers"})
    breaker = Breaker(monotonic)
    profiles = ProfileReader(redis, settings.partitions, breaker)
    offers = _Offers(profiles, KnownSites(registry, redis, breaker), shelf, now_ms, monotonic, new_id)
    carts = _Carts(CartReader(redis, settings.partitions, settings.cart_idle_s * 1000), registry, now_ms)
    app.add_url_rule(OFFERS_PATH, "offers", offers.answer, methods=["GET"], provide_automatic_options=False)
    app.add_url_rule(OFFERS_PATH, "offers_preflight", lambda: Response(status=204), methods=["OPTIONS"])
    app.add_url_rule("/v1/carts/abandoned", "abandoned_carts", carts.answer, methods=["GET"])
    app.after_request(offers.open_to_origin)
    return app


def exact_json(body: object) -> Response:
    """JSON with decimals as numbers that keep every digit: 39.90 stays 39.90."""
    return Response(_encode(body), mimetype="application/json", headers={"Cache-Control": "no-store"})


@dataclass(frozen=True)
class _Offers:
    profiles: ProfileReader
    registry: Callable[[], SiteRegistry]
    shelf: ModelShelf
    now_ms: Callable[[], int]
    monotonic: Callable[[], float]
    new_id: Callable[[], str]

    def answer(self) -> Response:
        began = self.monotonic()
        asked = _asked()
        offers, fallback = self._offers(asked)
        took_s = self.monotonic() - began
        OFFERS.labels(fallback or "none").inc()
        OFFER_SECONDS.observe(took_s)
        return exact_json(Decision(self.new_id(), asked.placement, offers, fallback, round(took_s * 1000, 2)))

    def _offers(self, asked: Asked) -> tuple[list[Offer], Fallback | None]:
        try:
            site = site_of_key(self.registry())
        except StoreDown:
            return [], "store_down"
        return self._decided(site, asked)

    def _decided(self, site: Site, asked: Asked) -> tuple[list[Offer], Fallback | None]:
        profile, fallback = self._profile(site, asked)
        model = self.shelf.get(site.name)
        if model is None:
            return [], fallback if fallback == "store_down" else "no_model"
        try:
            return decide(model, profile, asked.placement, asked.item_id, asked.limit, self.now_ms()), fallback
        except Exception:
            log.exception("no offers for %s at %s", site.name, asked.placement)
            return [], "no_model"

    def _profile(self, site: Site, asked: Asked) -> tuple[VisitorProfile | None, Fallback | None]:
        if asked.visitor_id is None or _wants_no_profile():
            return None, "no_profile"
        try:
            profile = self.profiles.read(site.name, asked.visitor_id)
        except StoreDown:
            return None, "store_down"
        return profile, None if profile else "no_profile"

    def open_to_origin(self, answer: Response) -> Response:
        """Let the browser hand the answer to the page if the site allows its origin."""
        if request.path != OFFERS_PATH:
            return answer
        answer.vary.add("Origin")
        answer.headers.setdefault("Cache-Control", "no-store")
        origin = request.headers.get("Origin")
        if origin and self._allowed(origin):
            answer.headers["Access-Control-Allow-Origin"] = origin
            answer.headers["Access-Control-Allow-Credentials"] = "true"
            if request.method == "OPTIONS":
                answer.headers["Access-Control-Allow-Methods"] = "GET"
                answer.headers["Access-Control-Max-Age"] = "3600"
        return answer

    def _allowed(self, origin: str) -> bool:
        try:
            site = self.registry().by_key.get(request.args.get("key", ""))
        except StoreDown:
            return False
        return site is not None and site.allows(origin)


@dataclass(frozen=True)
class _Carts:
    reader: CartReader
    registry: Callable[[], SiteRegistry]
    now_ms: Callable[[], int]

    def answer(self) -> Response:
        site = site_of_secret(self.registry())
        now_ms = self.now_ms()
        limit = int_argument("limit", 50, 1, MAX_CARTS)
        cursor = request.args.get("cursor")
        before = Place.of_cursor(cursor) if cursor else None
        since_ms, until_ms = _instant_argument("since", 0), _instant_argument("until", now_ms + 1)
        page = self.reader.abandoned(site.name, since_ms, until_ms, before, limit, now_ms)
        return exact_json({"carts": page.carts, "next": page.next.cursor() if page.next else None})


def _asked() -> Asked:
    placement = request.args.get("placement", "default")
    if not PLACEMENT.fullmatch(placement):
        raise BadRequest(f"placement: expected 1 to 50 of a-z, 0-9 and hyphen, got {placement[:100]!r}")
    return Asked(
        visitor_id=_id_argument("visitor"),
        placement=placement,
        item_id=_id_argument("item_id"),
        limit=int_argument("limit", 5, 1, MAX_OFFERS),
    )


def _id_argument(name: str) -> str | None:
    given = request.args.get(name)
    if given is not None and not 1 <= len(given) <= MAX_ID:
        raise BadRequest(f"{name}: expected 1 to {MAX_ID} characters, got {len(given)}")
    return given


def _instant_argument(name: str, otherwise: int) -> int:
    """An instant in ms. An offset is asked for, because a time without one means something else in every zone."""
    raw = request.args.get(name)
    if raw is None:
        return otherwise
    try:
        instant = datetime.fromisoformat(raw.replace(" ", "+"))
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        raise BadRequest(f"{name}: expected an instant such as 2026-11-21T10:00:00Z, got {raw[:100]!r}")
    return int(instant.timestamp() * 1000)


def _wants_no_profile() -> bool:
    return request.headers.get("Sec-GPC") == "1" or request.headers.get("DNT") == "1"
