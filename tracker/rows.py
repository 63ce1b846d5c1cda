"""From what lies in the stream to rows of the events table. Pure; the same entry always gives the same rows."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct

from baliza.errors import BalizaError
from schema.events import Event, Item, from_micros, to_micros
from tracker.enrich import AUTOMATED, Agent, agent_of
from tracker.observe import Context, order_value_micros
from tracker.traffic import path_of, traffic_of

__all__ = ["COLUMNS", "BadEntry", "Purchase", "opened", "purchases_of", "rows_of"]

ZERO: Final = Decimal(0)
COLUMNS: Final = (
    "site", "event_id", "type", "occurred_at", "received_at", "visitor_id", "customer_id", "session_id",
    "session_opened_at", "session_event", "sender", "page_url", "page_path", "page_title", "referrer", "source", "medium",
    "campaign", "currency", "value", "transaction_id", "revenue", "item_ids", "item_names", "item_brands",
    "item_categories", "item_prices", "item_quantities", "item_urls", "item_images", "cart_pieces", "cart_value",
    "cart_currency", "content_kind", "content_id", "response_code", "decision_id", "placement", "search_term", "consent",
    "properties", "network", "device", "browser", "os", "bot",
)  # fmt: skip


class BadEntry(BalizaError):
    """A stream entry that is not what observe wrote."""


class StoredBatch(Struct):
    """The body as it was accepted; what else it says was taken from it at the edge."""

    events: list[Event]


class Outcome(Struct, array_like=True):
    """What observe decided about one event; see schema/redis/baliza_v1.lua, apply()."""

    place: int
    at_ms: int
    session_id: str
    opened_ms: int
    number: int
    cart_pieces: int
    cart_micros: int
    cart_currency: str


class Purchase(NamedTuple):
    """An order that counts. A known customer cancels abandoned carts of other browsers; of others customer_id is empty."""

    site: str
    customer_id: str
    at_ms: int
    order_id: str
    trusted: bool


_body = msgspec.json.Decoder(StoredBatch)
_outcomes = msgspec.msgpack.Decoder(list[Outcome])
_context = msgspec.msgpack.Decoder(Context)
_NOT_A_BROWSER: Final = Agent("", "", "", "")


def rows_of(entry: Mapping[bytes, bytes]) -> list[tuple[Any, ...]]:
    """The rows of one stream entry, in the order of COLUMNS. Raises BadEntry."""
    try:
        return [_row(event, outcome, context) for event, outcome, context in opened(entry)]
    except (ArithmeticError, TypeError, ValueError) as error:
        raise BadEntry(f"a stream entry makes no rows: {type(error).__name__}: {error}") from error


def purchases_of(entry: Mapping[bytes, bytes]) -> list[Purchase]:
    """The purchases in one stream entry. Raises BadEntry."""
    body = entry.get(b"b", b"")
    if b'"purchase"' not in body and b"\\u" not in body:
        return []
    return [
        Purchase(context.site, event.customer_id or "", outcome.at_ms, event.transaction_id or "", context.trusted)
        for event, outcome, context in opened(entry)
        if event.type == "purchase"
    ]


def opened(entry: Mapping[bytes, bytes]) -> Iterator[tuple[Event, Outcome, Context]]:
    """The events of one stream entry that were taken, with what was decided about each. Raises BadEntry."""
    try:
        context = _context.decode(entry[b"c"])
        # A request of which nothing was taken leaves its numbers and no body.
        outcomes = _outcomes.decode(entry[b"o"]) if entry[b"o"] or b"b" in entry else []
        events = _body.decode(entry[b"b"]).events if outcomes else []
        for outcome in outcomes:
            yield events[outcome.place], outcome, context
    except (KeyError, IndexError, ValueError) as error:
        raise BadEntry(f"a stream entry cannot be read: {type(error).__name__}: {error}") from error


def _instant(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def _row(event: Event, outcome: Outcome, context: Context) -> tuple[Any, ...]:
    page = event.page
    url, referrer, title = (page.url, page.referrer, page.title) if page else ("", "", "")
    agent = _agent(context)
    bought = event.type == "purchase"
    worth = from_micros(order_value_micros(event)) if bought else _amount(event.value)
    content = event.content
    return (
        context.site, event.event_id, event.type, _instant(outcome.at_ms), _instant(context.received_ms),
        context.visitor_id, event.customer_id or "", outcome.session_id, _instant(outcome.opened_ms), outcome.number,
        context.sender, url, path_of(url), title, referrer, *traffic_of(url, referrer), event.currency or "", worth,
        event.transaction_id or "", worth if bought and context.trusted else ZERO, *_item_columns(event.items),
        outcome.cart_pieces, from_micros(outcome.cart_micros), outcome.cart_currency,
        content.kind if content else "", content.id if content else "", event.response_code or "",
        event.decision_id or "", event.placement or "", event.search_term, event.consent or "",
        {name: _text(value) for name, value in event.properties.items()}, context.network, *agent,
    )  # fmt: skip


def _agent(context: Context) -> Agent:
    """The visitor's browser; nothing of it is known from a server that does not say it."""
    if context.sender == "server" and not context.user_agent:
        return _NOT_A_BROWSER
    agent = agent_of(context.user_agent)
    return agent._replace(bot="") if context.count_automation and agent.bot == AUTOMATED else agent


def _item_columns(items: list[Item]) -> tuple[list[Any], ...]:
    if not items:
        return ([], [], [], [], [], [], [], [])
    lines = [
        (
            item.item_id, item.item_name, item.item_brand, item.item_category, _amount(item.price), item.quantity,
            item.url, item.image,
        )
        for item in items
    ]  # fmt: skip
    return tuple(list(column) for column in zip(*lines, strict=True))


def _amount(said: Decimal | None) -> Decimal:
    """The amount in the columns' six places, which is how exact the live store has it as well."""
    return ZERO if said is None else from_micros(to_micros(said))


def _text(value: str | int | float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
