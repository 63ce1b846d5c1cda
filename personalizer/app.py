"""The personalizer over HTTP: offers for shops and browsers, abandoned carts for shops' servers.

Offers never break a shop's page: what is missing makes them poorer, and the answer says what it was in `fallback`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Final

from flask import Flask, Response, request

from baliza.errors import BadRequest
from baliza.http import base_app, int_argument, site_of_secret
from baliza.readiness.files import ReadinessShelf
from baliza.settings import Settings
from baliza.sites import SiteRegistry
from baliza.stores import RedisClient, call
from personalizer.carts.cart import Place
from personalizer.carts.reader import CartReader
from personalizer.feedback.log import DecisionLog
from personalizer.models.shelf import ModelShelf
from personalizer.offers.batch import Batches
from personalizer.offers.breaker import Breaker
from personalizer.offers.deciding import Clocks, Decider
from personalizer.offers.endpoint import OFFERS_PATH, OffersEndpoint, OffersFirst, encode_exactly
from personalizer.offers.insights import Insights, own_view
from personalizer.offers.profiles import KnownSites, ProfileReader

__all__ = ["STORE_SHARE", "create_app", "exact_json"]

MAX_CARTS: Final = 500
# Of an offer's budget the live store may use so much; the rest is for deciding without it.
STORE_SHARE: Final = 0.5
# An offer waits for the live store for some milliseconds only, so it is soon worth another try.
STORE_PAUSE_S: Final = 0.25


def create_app(
    settings: Settings,
    redis: RedisClient,
    registry: Callable[[], SiteRegistry],
    shelf: ModelShelf,
    now_ms: Callable[[], int],
    monotonic: Callable[[], float],
    new_id: Callable[[], str],
    *,
    insights: Insights | None = None,
    readiness: ReadinessShelf | None = None,
    written: DecisionLog | None = None,
    rng: Random | None = None,
    patient: RedisClient | None = None,
) -> Flask:
    """Build the personalizer.

    registry: answers the sites, raises StoreDown when they were never read (baliza.sites.CachedRegistry).
    now_ms: milliseconds since the epoch, UTC. monotonic: seconds. new_id: makes decision ids. insights: with the live
    catalogue; None: what the model says. written: the log of decisions, None to keep none. redis: does not wait for longer
    than an offer may; patient: a client for what may take its time, None for the same.
    """
    patient = patient or redis
    app = base_app("personalizer", {"live_store": lambda: call(patient.ping) and "answers"})
    breaker = Breaker(monotonic, STORE_PAUSE_S)
    known_sites = KnownSites(registry, redis, breaker)
    clocks = Clocks(now_ms, monotonic, new_id)
    decider = Decider(
        shelf, insights or Insights(own_view(now_ms), monotonic, now_ms), readiness, written, clocks,
        rng or Random(), settings.offer_budget_ms / 1000,  # noqa: S311 - no secret
    )  # fmt: skip
    endpoint = OffersEndpoint(decider, settings.partitions, monotonic, settings.offer_budget_ms / 1000 * STORE_SHARE)
    batches = Batches(decider, ProfileReader(patient, settings.partitions, breaker), known_sites, clocks)
    carts = _Carts(CartReader(patient, settings.partitions, settings.cart_idle_s * 1000), registry, now_ms)
    app.add_url_rule(f"{OFFERS_PATH}/batch", "offers_batch", batches.answer, methods=["POST"])
    app.add_url_rule("/v1/carts/abandoned", "abandoned_carts", carts.answer, methods=["GET"])
    app.extensions[OFFERS_PATH] = endpoint  # for a server that can do without WSGI
    profiles = ProfileReader(redis, settings.partitions, breaker)
    app.wsgi_app = OffersFirst(app.wsgi_app, endpoint, profiles, known_sites)  # type: ignore[method-assign]
    return app


def exact_json(body: object) -> Response:
    """JSON with decimals as numbers that keep every digit: 39.90 stays 39.90."""
    return Response(encode_exactly(body), mimetype="application/json", headers={"Cache-Control": "no-store"})


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
