"""Rows of events made of stream entries the plain way: value by value, in Python, each in the type of its column.

What ingest sends is taken apart by the history; tests hold it against this.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from baliza.stores import History
from baliza.traffic import path_of, traffic_of
from schema.events import Event, from_micros, to_micros
from tracker.enrich import AUTOMATED, agent_of
from tracker.observe import Context, order_value_micros
from tracker.rows import Outcome, opened

COLUMNS = (
    "site", "event_id", "type", "occurred_at", "received_at", "visitor_id", "customer_id", "session_id",
    "session_opened_at", "session_event", "sender", "page_url", "page_path", "page_title", "referrer", "source", "medium",
    "campaign", "currency", "value", "transaction_id", "revenue", "item_ids", "item_names", "item_brands",
    "item_categories", "item_prices", "item_quantities", "item_urls", "item_images", "cart_pieces", "cart_value",
    "cart_currency", "content_kind", "content_id", "response_code", "decision_id", "placement", "search_term", "consent",
    "properties", "network", "device", "browser", "os", "bot",
)  # fmt: skip


def plain_rows(entry: Mapping[bytes, bytes]) -> list[tuple[Any, ...]]:
    """The rows of one stream entry, in the order of COLUMNS."""
    return [_row(event, outcome, context) for event, outcome, context in opened(entry)]


def insert_plainly(history: History, rows: list[tuple[Any, ...]]) -> None:
    statement = f"INSERT INTO events ({', '.join(COLUMNS)}) VALUES"
    history.client().execute(statement, [list(column) for column in zip(*rows, strict=True)], columnar=True)


def _instant(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def _row(event: Event, outcome: Outcome, context: Context) -> tuple[Any, ...]:
    page = event.page
    url, referrer, title = (page.url, page.referrer, page.title) if page else ("", "", "")
    bought = event.type == "purchase"
    worth = from_micros(order_value_micros(event)) if bought else _amount(event.value)
    content = event.content
    items = event.items
    return (
        context.site, event.event_id, event.type, _instant(outcome.at_ms), _instant(context.received_ms),
        context.visitor_id, event.customer_id or "", outcome.session_id, _instant(outcome.opened_ms), outcome.number,
        context.sender, url, path_of(url), title, referrer, *traffic_of(url, referrer), event.currency or "", worth,
        event.transaction_id or "", worth if bought and context.trusted else Decimal(0),
        [item.item_id for item in items], [item.item_name for item in items], [item.item_brand for item in items],
        [item.item_category for item in items], [_amount(item.price) for item in items],
        [item.quantity for item in items], [item.url for item in items], [item.image for item in items],
        outcome.cart_pieces, from_micros(outcome.cart_micros), outcome.cart_currency,
        content.kind if content else "", content.id if content else "", event.response_code or "",
        event.decision_id or "", event.placement or "", event.search_term, event.consent or "",
        {name: _text(value) for name, value in event.properties.items()}, context.network, *_agent(context),
    )  # fmt: skip


def _agent(context: Context) -> tuple[str, str, str, str]:
    if context.sender == "server" and not context.user_agent:
        return ("", "", "", "")
    device, browser, os, bot = agent_of(context.user_agent)
    return (device, browser, os, "" if context.count_automation and bot == AUTOMATED else bot)


def _amount(said: Decimal | None) -> Decimal:
    return Decimal(0) if said is None else from_micros(to_micros(said))


def _text(value: str | int | float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
