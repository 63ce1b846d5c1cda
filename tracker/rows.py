"""From what lies in the stream to what is inserted. Pure; the same entry always gives the same.

An entry becomes one row of eleven plain columns, its events an array in JSON: written by C code at once, and taken apart by
the history (schema/queries/insert_events.sql). Forty-six columns of Decimals, times and arrays cost the driver more than all
the rest of ingest.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Final, NamedTuple

import msgspec
from msgspec import Meta, Struct

from baliza.errors import BalizaError
from baliza.traffic import path_of, traffic_of
from schema.events import Event, Item, to_micros
from tracker.enrich import AUTOMATED, Agent, agent_of
from tracker.observe import Context, hour_of, order_value_micros

__all__ = [
    "SOUND_ROW",
    "Arrival",
    "BadEntry",
    "Known",
    "Purchase",
    "Receipt",
    "arrival_of",
    "opened",
]

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# What the history's types hold: DateTime64 to the year 2299, DateTime to 2106, UInt32, and money in 18 digits.
RECEIVED_BEFORE_MS: Final = 4_294_967_296_000
Milliseconds = Annotated[int, Meta(ge=0, lt=10_413_792_000_000)]
Count = Annotated[int, Meta(ge=0, lt=1 << 32)]
Micros = Annotated[int, Meta(gt=-(10**18), lt=10**18)]


class BadEntry(BalizaError):
    """A stream entry that is not what observe wrote."""


class StoredBatch(Struct):
    """The body as it was accepted; what else it says was taken from it at the edge."""

    events: list[Event]


class Outcome(Struct, array_like=True):
    """What observe decided about one event; see schema/redis/baliza_v1/7_observe.lua, apply()."""

    place: Count
    at_ms: Milliseconds
    session_id: str
    opened_ms: Milliseconds
    number: Count
    cart_pieces: Count
    cart_micros: Micros
    cart_currency: str


class Purchase(NamedTuple):
    """An order that counts. A known customer cancels abandoned carts of other browsers; of others customer_id is empty."""

    site: str
    customer_id: str
    at_ms: int
    order_id: str
    trusted: bool


class Known(NamedTuple):
    """On this visitor's browser somebody was known to be this customer at that time."""

    site: str
    customer_id: str
    visitor_id: str
    at_ms: int


class Receipt(NamedTuple):
    """What became of the events of one request; together they are what was received. `hour_s`: its beginning, Unix time."""

    site: str
    hour_s: int
    taken: int
    duplicate: int
    consent: int
    rejected: int


class Arrival(NamedTuple):
    """One stream entry, ready to be stored. `row`: the columns that insert_events.sql reads; None without events.

    known: who the visitor was said to be, last.
    """

    row: tuple[Any, ...] | None
    events: int
    purchases: list[Purchase]
    receipt: Receipt
    known: Known | None = None


_body = msgspec.json.Decoder(StoredBatch)
_outcomes = msgspec.msgpack.Decoder(list[Outcome])
_context = msgspec.msgpack.Decoder(Context)
_json = msgspec.json.Encoder().encode
_NOT_A_BROWSER: Final = Agent("", "", "", "")


def arrival_of(entry: Mapping[bytes, bytes]) -> Arrival:
    """What one stream entry brings into the history. Raises BadEntry."""
    context, events, outcomes = _read(entry)
    receipt = _receipt(context, len(outcomes))
    if not outcomes:
        return Arrival(None, 0, [], receipt)
    try:
        taken = _json([_columns(events[outcome.place], outcome, context.trusted) for outcome in outcomes])
        row = (
            context.site, context.received_ms, context.visitor_id, context.sender, context.network, *_agent(context),
            len(outcomes), taken,
        )  # fmt: skip
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise BadEntry(f"a stream entry makes no rows: {type(error).__name__}: {error}") from error
    return Arrival(row, len(outcomes), _purchases(context, events, outcomes), receipt, _known(context, events, outcomes))


def opened(entry: Mapping[bytes, bytes]) -> Iterator[tuple[Event, Outcome, Context]]:
    """The events of one stream entry that were taken, with what was decided about each. Raises BadEntry."""
    context, events, outcomes = _read(entry)
    for outcome in outcomes:
        if outcome.place >= len(events):
            raise BadEntry(
                f"a stream entry cannot be read: it has {len(events)} events, and number {outcome.place} was taken"
            )
        yield events[outcome.place], outcome, context


def _read(entry: Mapping[bytes, bytes]) -> tuple[Context, list[Event], list[Outcome]]:
    context, outcomes = _decided(entry)
    try:
        return context, _body.decode(entry[b"b"]).events if outcomes else [], outcomes
    except (KeyError, ValueError) as error:
        raise BadEntry(f"a stream entry cannot be read: {type(error).__name__}: {error}") from error


def _decided(entry: Mapping[bytes, bytes]) -> tuple[Context, list[Outcome]]:
    try:
        # A request of which nothing was taken leaves its numbers and no body.
        outcomes = _outcomes.decode(entry[b"o"]) if entry[b"o"] or b"b" in entry else []
        context = _context.decode(entry[b"c"])
        if not 0 <= context.received_ms < RECEIVED_BEFORE_MS:
            raise ValueError(f"received at {context.received_ms} ms")
        return context, outcomes
    except (KeyError, ValueError) as error:
        raise BadEntry(f"a stream entry cannot be read: {type(error).__name__}: {error}") from error


def _receipt(context: Context, taken: int) -> Receipt:
    again = context.duplicates(taken)
    return Receipt(context.site, hour_of(context.received_ms), taken, again, context.consent, context.rejected)


def _purchases(context: Context, events: list[Event], outcomes: list[Outcome]) -> list[Purchase]:
    bought = [(events[outcome.place], outcome.at_ms) for outcome in outcomes if events[outcome.place].type == "purchase"]
    return [
        Purchase(context.site, event.customer_id or "", at_ms, event.transaction_id or "", context.trusted)
        for event, at_ms in bought
    ]


def _known(context: Context, events: list[Event], outcomes: list[Outcome]) -> Known | None:
    for outcome in reversed(outcomes):
        if customer_id := events[outcome.place].customer_id:
            return Known(context.site, customer_id, context.visitor_id, outcome.at_ms)
    return None


def _columns(event: Event, outcome: Outcome, trusted: bool) -> tuple[Any, ...]:
    """One event of `taken`, in the order of insert_events.sql."""
    page = event.page
    url, referrer, title = (page.url, page.referrer, page.title) if page else ("", "", "")
    bought = event.type == "purchase"
    worth = order_value_micros(event) if bought else _micros(event.value)
    content = event.content
    return (
        event.event_id, event.type, outcome.at_ms, event.customer_id or "", outcome.session_id, outcome.opened_ms,
        outcome.number, url, path_of(url), title, referrer, *traffic_of(url, referrer), event.currency or "", worth,
        event.transaction_id or "", worth if bought and trusted else 0, [_line(item) for item in event.items],
        outcome.cart_pieces, outcome.cart_micros, outcome.cart_currency, content.kind if content else "",
        content.id if content else "", event.response_code or "", event.decision_id or "", event.placement or "",
        event.search_term, event.consent or "", {name: _text(value) for name, value in event.properties.items()},
    )  # fmt: skip


def _line(item: Item) -> tuple[str, str, str, str, int, int, str, str]:
    price = item.price
    return (
        item.item_id, item.item_name, item.item_brand, item.item_category, 0 if price is None else to_micros(price),
        item.quantity, item.url, item.image,
    )  # fmt: skip


def _micros(said: Decimal | None) -> int:
    """The amount in the columns' six places, which is how exact the live store has it as well."""
    return 0 if said is None else to_micros(said)


def _agent(context: Context) -> Agent:
    """The visitor's browser; nothing of it is known from a server that does not say it."""
    if context.sender == "server" and not context.user_agent:
        return _NOT_A_BROWSER
    agent = agent_of(context.user_agent)
    return agent._replace(bot="") if context.count_automation and agent.bot == AUTOMATED else agent


def _text(value: str | int | float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


# One that nothing can be wrong with: where this is refused, others are refused for nothing that they say.
SOUND_ROW: Final[tuple[Any, ...]] = (
    "site", 0, "visitor", "browser", "", *_NOT_A_BROWSER, 1,
    _json([_columns(Event("event", "page_view", EPOCH), Outcome(0, 0, "session", 0, 1, 0, 0, ""), trusted=False)]),
)  # fmt: skip
