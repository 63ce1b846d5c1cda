"""Profiles and features of visits, for tests of readiness."""

from typing import Any

from baliza.readiness.features import NEVER, Features
from schema.profile import Cart, LiveSession, VisitorProfile

T = 1_763_719_204_000  # 2025-11-21T10:00:04Z, a Friday
MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
NOTHING = Features(*[0.0] * len(Features._fields))._replace(
    pace_s=NEVER, last_look_age_s=NEVER, cart_age_s=NEVER, since_order_days=NEVER, since_session_h=NEVER, sessions=1
)


def seen(**given: float) -> Features:
    return NOTHING._replace(**given)


def session(**given: Any) -> LiveSession:
    whole: dict[str, Any] = {
        "session_id": "s-1", "opened_at": T, "started_at": T, "ended_at": T, "events": 1, "page_views": 1, "item_views": 0,
        "cart_adds": 0, "orders": 0, "revenue": [], "landing_url": "", "referrer": "", "search_term": "", "categories": [],
    }  # fmt: skip
    return LiveSession(**whole | given)


def profile(now: LiveSession | None = None, **given: Any) -> VisitorProfile:
    whole: dict[str, Any] = {
        "first_seen_at": T, "last_seen_at": T, "sessions": 1, "links": [], "past": [], "viewed": [], "orders": [],
        "cart": Cart("", 0, 0, []), "session": now or session(),
    }  # fmt: skip
    return VisitorProfile(**whole | given)
