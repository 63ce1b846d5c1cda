"""Rows of the events table for tests that start from history."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

from baliza.stores import History

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def event_row(**given: Any) -> dict[str, Any]:
    """An event of the site demo; `items` as (item_id, category, price, quantity) fill the item columns."""
    items = given.pop("items", [])
    at = given.get("occurred_at", NOON)
    row: dict[str, Any] = {
        "site": "demo", "event_id": uuid4().hex, "type": "page_view", "occurred_at": at, "received_at": at,
        "visitor_id": "v-1", "customer_id": "", "session_id": "s-1", "session_opened_at": at, "session_event": 1,
        "sender": "browser", "page_url": "http://shop.test/", "page_path": "/", "page_title": "", "referrer": "",
        "source": "direct", "medium": "", "campaign": "", "currency": "EUR", "value": Decimal(0), "transaction_id": "",
        "revenue": Decimal(0), "item_ids": [item[0] for item in items],
        "item_names": [f"Name of {item[0]}" for item in items],
        "item_brands": ["" for _ in items], "item_categories": [item[1] for item in items],
        "item_prices": [Decimal(str(item[2])) for item in items], "item_quantities": [item[3] for item in items],
        "item_urls": ["" for _ in items], "item_images": ["" for _ in items], "cart_pieces": 0, "cart_value": Decimal(0),
        "cart_currency": "EUR", "content_kind": "", "content_id": "", "response_code": "", "decision_id": "",
        "placement": "",
        "search_term": "", "consent": "", "properties": {}, "network": "192.0.2.0/24", "device": "desktop",
        "browser": "Firefox", "os": "Linux", "bot": "",
    }  # fmt: skip
    unknown = given.keys() - row.keys()
    assert not unknown, f"no such columns: {unknown}"
    return row | given


def insert_events(history: History, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write them as ingest would: one insert, sessions follow by the materialized view."""
    rows = list(rows)
    columns = ", ".join(rows[0])
    history.client().execute(f"INSERT INTO events ({columns}) VALUES", rows)
