"""What a shop's server may read of a visitor: the live profile with its names, times and money made readable."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from baliza.readiness.assess import assess
from baliza.readiness.model import ReadinessModel
from baliza.traffic import path_of, traffic_of
from schema.events import from_micros
from schema.profile import Cart, CartLine, LiveSession, Order, SeenOffer, ViewedItem, VisitorProfile

__all__ = ["describe_session", "describe_visitor"]


def instant(ms: int) -> str:
    """ISO 8601 in UTC with milliseconds: 1763719204000 → 2025-11-21T10:00:04.000Z."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _price(micros: int) -> Decimal | None:
    return None if micros < 0 else from_micros(micros)


def describe_session(
    visitor_id: str,
    profile: VisitorProfile,
    session: LiveSession,
    now_ms: int,
    idle_ms: int,
    readiness: ReadinessModel | None = None,
) -> dict[str, Any]:
    """The session that is going on, or the last one with `live` false: who, from where, what was viewed, carted, bought.

    readiness: the model to ask how ready the visitor is to buy; without one the rules are asked.
    """
    traffic = traffic_of(session.landing_url, session.referrer)
    live = now_ms - session.ended_at <= idle_ms
    return {
        "session_id": session.session_id,
        "live": live,
        "visitor_id": visitor_id,
        "who": "registered" if profile.customer_id else "anonymous",
        "customer_id": profile.customer_id,
        "started_at": instant(session.started_at),
        "last_event_at": instant(session.ended_at),
        "duration_s": (session.ended_at - session.started_at) / 1000,
        **_expected(profile, now_ms if live else session.ended_at, live, readiness),
        "events": session.events,
        "page_views": session.page_views,
        "item_views": session.item_views,
        "cart_adds": session.cart_adds,
        "landing_page": session.landing_url,
        "landing_path": path_of(session.landing_url),
        "referrer": session.referrer,
        "source": traffic.source,
        "medium": traffic.medium,
        "campaign": traffic.campaign,
        "search_term": session.search_term or None,
        "viewed": [_viewed(item) for item in reversed(profile.viewed) if item.last_viewed_at >= session.started_at],
        "categories": {count.category: count.views for count in session.categories},
        "cart": _cart(profile.cart),
        "bought": [_order(order) for order in profile.orders if order.bought_at >= session.started_at],
        "revenue": {entry.currency: from_micros(entry.value_micros) for entry in session.revenue},
    }


def _expected(profile: VisitorProfile, at_ms: int, live: bool, model: ReadinessModel | None) -> dict[str, Any]:
    """Purpose and readiness. Nothing more is expected of a session that is over; its purpose is what it was at its end."""
    found = assess(profile, at_ms, model)
    return {
        "purpose": found.purpose,
        "purposes": {name: round(share, 3) for name, share in found.purposes._asdict().items()},
        "readiness": {"probability": round(found.probability, 4), "basis": found.basis} if live else None,
    }


def describe_visitor(visitor_id: str, profile: VisitorProfile) -> dict[str, Any]:
    """The visitor over all sessions that the live store remembers."""
    return {
        "visitor_id": visitor_id,
        "customer_id": profile.customer_id,
        "links": [{"customer_id": link.customer_id, "since": instant(link.since)} for link in profile.links],
        "first_seen_at": instant(profile.first_seen_at),
        "last_seen_at": instant(profile.last_seen_at),
        "sessions": profile.sessions,
        "viewed": [_viewed(item) for item in reversed(profile.viewed)],
        "cart": _cart(profile.cart),
        "orders": [_order(order) for order in profile.orders],
        "seen_offers": [_seen_offer(offer) for offer in reversed(profile.seen_offers)],
    }


def _viewed(item: ViewedItem) -> dict[str, Any]:
    return {
        "item_id": item.item_id,
        "item_name": item.name,
        "item_category": item.category,
        "price": _price(item.price_micros),
        "currency": item.currency or None,
        "views": item.views,
        "last_viewed_at": instant(item.last_viewed_at),
    }


def _cart(cart: Cart) -> dict[str, Any]:
    return {
        "changed_at": instant(cart.changed_at) if cart.changed_at else None,
        "currency": cart.currency or None,
        "pieces": cart.pieces,
        "value": cart.value,
        "lines": [_line(line) for line in cart.lines],
    }


def _line(line: CartLine) -> dict[str, Any]:
    return {
        "item_id": line.item_id,
        "item_name": line.name,
        "item_category": line.category,
        "quantity": line.quantity,
        "price": _price(line.price_micros),
    }


def _seen_offer(offer: SeenOffer) -> dict[str, Any]:
    return {
        "item_id": offer.item_id,
        "times": offer.times,
        "last_seen_at": instant(offer.last_seen_at),
        "dismissed": bool(offer.dismissed),
    }


def _order(order: Order) -> dict[str, Any]:
    return {
        "order_id": order.order_id,
        "bought_at": instant(order.bought_at),
        "value": from_micros(order.value_micros),
        "currency": order.currency or None,
        "items": [{"item_id": item.item_id, "quantity": item.quantity} for item in order.items],
    }
