"""The rows of reports, and how they are made from what the history answers. Pure."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from msgspec import Struct

from baliza.readiness.model import Basis

__all__ = [
    "Bucket", "Page", "SessionRow", "Story", "StoryEvent", "StoryItem", "Summary", "bucket", "plain", "session_row",
    "story_events",
]  # fmt: skip


class SessionRow(Struct, frozen=True):
    """One session. Money is decimal text in major units; times are UTC; `bot` says why it is one, "" for people.

    purpose: what the visit was for, by what was done until its end; see baliza.readiness.rules.
    """

    session_id: str
    visitor_id: str
    customer_id: str
    started_at: datetime
    ended_at: datetime
    duration_s: int
    events: int
    page_views: int
    item_views: int
    cart_adds: int
    checkouts: int
    purchases: int
    revenue: dict[str, str]
    cart_pieces: int
    cart_value: str
    cart_currency: str
    abandoned: bool
    purpose: str
    landing_path: str
    referrer: str
    source: str
    medium: str
    campaign: str
    device: str
    browser: str
    os: str
    bot: str


class Page(Struct, frozen=True):
    """Some sessions, newest first, and the cursor of the next page, None at the end."""

    sessions: list[SessionRow]
    next: str | None


class Bucket(Struct, frozen=True):
    """The sessions that began in one hour, day or month of the site's zone; `beginning` is UTC."""

    beginning: datetime
    sessions: int
    with_purchase: int


class Summary(Struct, frozen=True):
    """All sessions of a filter, whatever the page. purposes: how many sessions had which."""

    sessions: int
    with_purchase: int
    with_abandoned_cart: int
    revenue: dict[str, str]
    purposes: dict[str, int]
    unit: str
    over_time: list[Bucket]


class StoryItem(Struct, frozen=True):
    """One product of an event; `price` is for one piece, None when nobody said it."""

    item_id: str
    name: str
    brand: str
    category: str
    price: str | None
    quantity: int
    url: str


class StoryEvent(Struct, frozen=True):
    """One event, what was in the cart after it, and the seconds since the event before.

    readiness: P(an order in the rest of the session) right after it; None where that is not known.
    """

    event_id: str
    type: str
    occurred_at: datetime
    gap_s: int
    sender: str
    page_url: str
    page_path: str
    page_title: str
    referrer: str
    currency: str
    value: str
    revenue: str
    transaction_id: str
    items: list[StoryItem]
    cart_pieces: int
    cart_value: str
    cart_currency: str
    content_kind: str
    content_id: str
    response_code: str
    decision_id: str
    placement: str
    search_term: str
    consent: str
    properties: dict[str, str]
    readiness: float | None = None


class Story(Struct, frozen=True):
    """One session from landing to its end. `cut` when it has more than MAX_STORY_EVENTS events.

    readiness_basis: who tells the events' readiness.
    """

    session: SessionRow
    events: list[StoryEvent]
    cut: bool
    readiness_basis: Basis = "rules"


def plain(amount: Decimal) -> str:
    """The amount with two places, or as many more as it needs: Decimal("39.900000") is "39.90"."""
    cents = amount.quantize(Decimal("0.01"))
    return str(cents) if cents == amount else str(amount.normalize())


def session_row(record: Mapping[str, Any]) -> SessionRow:
    """The session of a record of reports_sessions.sql."""
    path, referrer, source, medium, campaign = record["landing"]
    pieces, value, currency = record["cart"]
    same = {name: record[name] for name in SessionRow.__struct_fields__ if name in record}
    return SessionRow(
        **same
        | {
            "duration_s": int((record["ended_at"] - record["started_at"]).total_seconds()),
            "revenue": {currency: plain(amount) for currency, amount in sorted(record["revenue"].items())},
            "abandoned": bool(record["abandoned"]),
            "landing_path": path,
            "referrer": referrer,
            "source": source,
            "medium": medium,
            "campaign": campaign,
            "cart_pieces": pieces,
            "cart_value": plain(value),
            "cart_currency": currency,
        }
    )


def bucket(record: Mapping[str, Any]) -> Bucket:
    """The bucket of a record of reports_summary.sql."""
    beginning = datetime.fromtimestamp(record["beginning"], UTC)
    return Bucket(beginning, record["sessions"], record["with_purchase"])


def story_events(records: Sequence[Mapping[str, Any]]) -> list[StoryEvent]:
    """The events of records of reports_story.sql, in the same order."""
    before = records[0]["occurred_at"] if records else None
    events = []
    for record in records:
        same = {name: record[name] for name in StoryEvent.__struct_fields__ if name in record}
        gap_s = int((record["occurred_at"] - before).total_seconds())
        amounts = {name: plain(record[name]) for name in ("value", "revenue", "cart_value")}
        events.append(StoryEvent(**same | amounts | {"items": _items(record), "gap_s": gap_s}))
        before = record["occurred_at"]
    return events


def _items(record: Mapping[str, Any]) -> list[StoryItem]:
    names = ("ids", "names", "brands", "categories", "prices", "quantities", "urls")
    lines = zip(*(record[f"item_{name}"] for name in names), strict=True)
    # The history keeps no price as zero (or less), because its columns have no nulls.
    return [
        StoryItem(item_id, name, brand, category, plain(price) if price > 0 else None, quantity, url)
        for item_id, name, brand, category, price, quantity, url in lines
    ]
