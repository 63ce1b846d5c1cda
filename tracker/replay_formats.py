"""Readers of shoppers' logs: lines of text in, rows out. Pure: no file, clock or network is touched here.

A reader answers one outcome a line: a Row (an event or a part of one), Bad (cannot be read) or LeftOut (read, but nothing
that a shop observes). What each format means, and what is made up because a log does not have it, is in docs/replay.md.
"""

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final, TypeAlias
from zlib import crc32

import msgspec
from msgspec import Struct

from schema.events import EVENT_TYPES

__all__ = ["FORMATS", "WIRE", "Bad", "LeftOut", "Outcome", "Reader", "Row", "WrongHeader", "instant", "made_up_price"]

WIRE: Final = msgspec.json.Encoder(decimal_format="number")
Fields: TypeAlias = dict[str, Any]
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# 2000-01-01 to 2100-01-01: a time outside means that the column has another unit.
EARLIEST_US, LATEST_US = 946_684_800_000_000, 4_102_444_800_000_000
LABEL_CHARS: Final = 300  # the wire's limit of names and titles


class Row(Struct, frozen=True):
    """One line that is an event, or one item of it. `at`: microseconds since the epoch, UTC.

    `event` has the wire's fields without id and time. Rows of the same second with the same `join` are one event.
    """

    line: int
    at: int
    visitor: str
    event: Fields
    join: str = ""


class Bad(Struct, frozen=True):
    """A line that cannot be read, and why."""

    line: int
    reason: str


class LeftOut(Struct, frozen=True):
    """A line that was understood and is not sent, and why."""

    line: int
    reason: str


Outcome: TypeAlias = Row | Bad | LeftOut
# Takes the lines of a file and the currency of prices that come without one.
Reader: TypeAlias = Callable[[Iterable[str], str], Iterator[Outcome]]


class WrongHeader(ValueError):
    """The first line does not name the columns that the format needs."""


def instant(at: int) -> datetime:
    """Microseconds since the epoch as a moment in UTC; exact, unlike a float of seconds."""
    return EPOCH + timedelta(microseconds=at)


def made_up_price(item_id: str) -> Decimal:
    """A price for an item of a log without prices: always the same for the same id, from 1.99 to 198.99."""
    return Decimal(100 * (2 + crc32(item_id.encode()) % 198) - 1) / 100


def retailrocket(lines: Iterable[str], currency: str) -> Iterator[Outcome]:
    """RetailRocket's events.csv, times in seconds or milliseconds. Prices are made up; orders too where there is no id."""
    need = ("timestamp", "visitorid", "event", "itemid")
    return _each(lines, need, lambda line, cells: _retailrocket_row(line, cells, currency))


RETAILROCKET_TYPES: Final = {"view": "view_item", "addtocart": "add_to_cart", "transaction": "purchase"}


def _retailrocket_row(line: int, cells: Mapping[str, str], currency: str) -> Outcome:
    kind = RETAILROCKET_TYPES.get(cells["event"])
    if kind is None:
        raise ValueError(f"event: expected view, addtocart or transaction, got {cells['event']!r}")
    visitor, item_id = _needed(cells, "visitorid"), _needed(cells, "itemid")
    stamp = _whole(cells, "timestamp")
    at = _checked_time(stamp * (1_000 if stamp >= 10**11 else 1_000_000), "timestamp", cells["timestamp"])
    item: Fields = {"item_id": item_id, "price": made_up_price(item_id), "quantity": 1}
    if category := cells.get("categoryid"):
        item["item_category"] = category
    event: Fields = {"type": kind, "currency": currency, "items": [item]}
    if kind != "purchase":
        return Row(line, at, visitor, event)
    order = cells.get("transactionid") or f"{visitor}-{at // 1_000_000}"
    event["transaction_id"] = f"rr-{order}"
    return Row(line, at, visitor, event, join=f"{visitor}\0{order}")


def ga4_csv(lines: Iterable[str], currency: str) -> Iterator[Outcome]:
    """A BigQuery export of Google Analytics 4, flattened to CSV; items as JSON in `items` or one line an item."""
    need = ("event_timestamp", "event_name", "user_pseudo_id")
    return _each(lines, need, lambda line, cells: _ga4_row(line, cells, currency))


# An export has no column for the time of a user_engagement, and without it the event says nothing.
GA4_TYPES: Final = {**{name: name for name in EVENT_TYPES if name != "user_engagement"}, "view_search_results": "search"}
ITEM_LABELS: Final = (
    "item_name", "item_brand", "item_category", "item_category2", "item_category3", "item_category4", "item_category5",
    "item_variant", "coupon",
)  # fmt: skip
MONEY_COLUMNS: Final = {
    "purchase": {
        "ecommerce_purchase_revenue": "value",
        "ecommerce_shipping_value": "shipping",
        "ecommerce_tax_value": "tax",
    },
    "refund": {"ecommerce_refund_value": "value"},
}
EMPTY: Final = frozenset({"", "(not set)", "null", "NULL"})


def _ga4_row(line: int, cells: Mapping[str, str], currency: str) -> Outcome:
    kind = GA4_TYPES.get(cells["event_name"])
    if kind is None:
        return LeftOut(line, f"event {cells['event_name'][:50]} is not one that a shop observes")
    visitor = _text(cells, "user_pseudo_id")
    if not visitor:
        return LeftOut(line, "no user_pseudo_id: the visitor had not consented")
    at = _checked_time(_whole(cells, "event_timestamp"), "event_timestamp", cells["event_timestamp"])
    event: Fields = {"type": kind}
    _put(event, "customer_id", _text(cells, "user_id"))
    _put(event, "transaction_id", _text(cells, "ecommerce_transaction_id"))
    _put(event, "search_term", _text(cells, "search_term")[:200])
    _put(event, "page", _ga4_page(cells))
    for column, name in MONEY_COLUMNS.get(kind, {}).items():
        _put(event, name, _money(cells.get(column), column))
    _put(event, "items", _ga4_items(cells))
    if "items" in event or "value" in event:
        event["currency"] = _text(cells, "currency") or currency
    one_line_an_item = "items" in event and not _text(cells, "items")
    join = "\0".join((visitor, str(at), kind, event.get("transaction_id", ""))) if one_line_an_item else ""
    return Row(line, at, visitor, event, join)


def _ga4_page(cells: Mapping[str, str]) -> Fields:
    page: Fields = {}
    _put(page, "url", _text(cells, "page_location"))
    _put(page, "referrer", _text(cells, "page_referrer"))
    _put(page, "title", _text(cells, "page_title")[:LABEL_CHARS])
    return page


def _ga4_items(cells: Mapping[str, str]) -> list[Fields]:
    raw = _text(cells, "items")
    if not raw:
        return [_ga4_item(cells)] if _text(cells, "item_id") else []
    given = _json(raw, "items")
    if not isinstance(given, list) or not all(isinstance(item, dict) for item in given):
        raise ValueError(f"items: expected a JSON list of objects, got {raw[:60]!r}")
    return [_ga4_item({key: str(value) for key, value in item.items() if value is not None}) for item in given]


def _ga4_item(cells: Mapping[str, str]) -> Fields:
    item: Fields = {"item_id": _text(cells, "item_id")}
    for name in ITEM_LABELS:
        _put(item, name, _text(cells, name)[:LABEL_CHARS])
    _put(item, "price", _money(cells.get("price"), "price"))
    quantity = _money(cells.get("quantity"), "quantity")
    item["quantity"] = 1 if quantity is None else int(quantity)
    return item


def jsonl(lines: Iterable[str], currency: str) -> Iterator[Outcome]:  # noqa: ARG001 (readers share one signature)
    """One JSON object a line: `visitor`, and the fields of an event of the wire; `event_id` may be absent."""
    for number, text in enumerate(lines, start=1):
        if not text.strip():
            continue
        try:
            yield _jsonl_row(number, _json(text, "line"))
        except ValueError as error:
            yield Bad(number, str(error))


def _jsonl_row(line: int, fields: Any) -> Row:
    if not isinstance(fields, dict):
        raise ValueError(f"expected a JSON object, got {type(fields).__name__}")
    visitor, kind, moment = (fields.get(name) for name in ("visitor", "type", "occurred_at"))
    for name, value in (("visitor", visitor), ("type", kind), ("occurred_at", moment)):
        if not isinstance(value, str) or not value:
            raise ValueError(f"{name}: expected text, got {value!r}")
    at = _moment(str(moment))
    event = {name: value for name, value in fields.items() if name not in ("visitor", "occurred_at")}
    return Row(line, at, str(visitor), event)


def _moment(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError
        at = (moment - EPOCH) // timedelta(microseconds=1)
    except ValueError:
        raise ValueError(f"occurred_at: expected ISO 8601 with a time zone (2026-11-21T10:00:00Z), got {text!r}") from None
    return _checked_time(at, "occurred_at", text)


FORMATS: Final[Mapping[str, Reader]] = {"retailrocket": retailrocket, "ga4-csv": ga4_csv, "jsonl": jsonl}


def _each(
    lines: Iterable[str], need: tuple[str, ...], row_of: Callable[[int, Mapping[str, str]], Outcome]
) -> Iterator[Outcome]:
    """The outcome of each record of a CSV file with a header. WrongHeader if a needed column is not there."""
    records = csv.reader(lines)
    header = _header(records, need)
    while True:
        try:
            record = next(records, None)
            if record is None:
                return
            if not record:
                continue
            if len(record) != len(header):
                raise ValueError(f"expected {len(header)} columns, got {len(record)}")
            yield row_of(records.line_num, dict(zip(header, record, strict=True)))
        except (ValueError, csv.Error) as error:
            yield Bad(records.line_num, str(error))


def _header(records: Iterator[list[str]], need: tuple[str, ...]) -> list[str]:
    try:
        header = [name.strip().lower().replace(".", "_") for name in next(records, [])]
    except csv.Error as error:
        raise WrongHeader(f"the first line is not CSV: {error}") from None
    if missing := [name for name in need if name not in header]:
        found = ", ".join(header)[:100] or "an empty line"
        raise WrongHeader(f"expected the columns {', '.join(need)}; {', '.join(missing)} not in the first line: {found}")
    return header


def _put(fields: Fields, name: str, value: object) -> None:
    if value or isinstance(value, Decimal):
        fields[name] = value


def _text(cells: Mapping[str, str], column: str) -> str:
    value = cells.get(column, "").strip()
    return "" if value in EMPTY else value


def _needed(cells: Mapping[str, str], column: str) -> str:
    if not (value := cells[column].strip()):
        raise ValueError(f"{column}: expected an id, got nothing")
    return value


def _whole(cells: Mapping[str, str], column: str) -> int:
    raw = cells[column].strip()
    if not (raw.isascii() and raw.isdigit() and len(raw) < 20):
        raise ValueError(f"{column}: expected a whole number, got {raw[:40]!r}")
    return int(raw)


UNITS: Final = {"event_timestamp": "microseconds", "timestamp": "seconds or milliseconds"}


def _checked_time(at: int, column: str, raw: str) -> int:
    if not EARLIEST_US <= at <= LATEST_US:
        unit = f"{UNITS[column]} since 1970, in" if column in UNITS else "a moment in"
        raise ValueError(f"{column}: expected {unit} the years 2000 to 2099, got {raw[:40]}")
    return at


def _money(raw: str | None, column: str) -> Decimal | None:
    if raw is None or raw.strip() in EMPTY:
        return None
    try:
        amount = Decimal(raw.strip())
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite():
        raise ValueError(f"{column}: expected a number, got {raw[:40]!r}")
    return amount


def _json(text: str, where: str) -> Any:
    try:
        value = json.loads(text, parse_float=Decimal)
        # Python reads more than can be sent on: numbers without end, half a surrogate pair.
        WIRE.encode(value)
    except (ValueError, OverflowError, RecursionError) as error:
        raise ValueError(f"{where}: expected JSON: {error}") from None
    return value
