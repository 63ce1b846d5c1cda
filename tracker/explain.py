"""From a decoder's complaint to a sentence for the sender: what was expected, what came, and where."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import msgspec

from schema.events import EVENT_TYPES, MAX_EVENTS_PER_BATCH, MAX_ITEMS_PER_EVENT, MAX_PROPERTIES, MAX_QUANTITY

__all__ = ["MONEY", "SOMETHING", "complaint", "document_of", "explain", "shown", "unreadable"]

MONEY: Final = "number ≥ 0"
SOMETHING: Final = object()  # a value that cannot be shown: the decoder saw it, but of two equal keys the last one counts
_TIME: Final = 'a time with zone like "2026-11-21T10:00:04.000Z"'
_ID: Final = "text of 1 to 100 characters"
_PROPERTY: Final = "text of at most 500 characters, a number, true or false"

# What the schema's constraints mean, in words; by field, without places in lists.
EXPECTED: Final[Mapping[str, str]] = {
    "events": f"a list of 1 to {MAX_EVENTS_PER_BATCH} events",
    "key": "text of at most 100 characters",
    "sent_at": _TIME,
    "user_agent": "text of at most 500 characters",
    "visitor": _ID,
    "event_id": _ID,
    "type": f"one of {', '.join(EVENT_TYPES)}",
    "occurred_at": _TIME,
    "page": "an object with url, referrer and title",
    "customer_id": _ID,
    "currency": 'an ISO 4217 code like "EUR"',
    "value": MONEY,
    "transaction_id": _ID,
    "shipping": MONEY,
    "tax": MONEY,
    "items": f"a list of at most {MAX_ITEMS_PER_EVENT} items",
    "items[]": "an object with at least item_id",
    "items[].item_id": _ID,
    "items[].price": MONEY,
    "items[].discount": MONEY,
    "items[].quantity": f"a whole number from 0 to {MAX_QUANTITY}",
    "items[].index": "a whole number",
    "content": "an object with kind and id",
    "content.kind": "one of product, category, ad, promotion, editorial, subscription",
    "content.id": _ID,
    "response_code": _ID,
    "decision_id": _ID,
    "placement": _ID,
    "consent": '"granted" or "denied"',
    "search_term": "text of at most 200 characters",
    "properties": f"an object of at most {MAX_PROPERTIES} entries",
    "properties[]": _PROPERTY,
}
# Where a field that nobody knows was found, and what belongs there instead.
KNOWN: Final[Mapping[str, str]] = {
    "page": "only the fields url, referrer and title",
    "content": "only the fields kind and id",
}
_PLACE = re.compile(r" - at `(?:key` in `)?\$(?P<path>[^`]*)`$")
_TOKEN = re.compile(r"\.([A-Za-z0-9_]+)|\[(\d+|\.\.\.)\]")
_FIELD = re.compile(r"(?:missing required|contains unknown) field `([^`]*)`")
_KINDS = {"str": "text", "int": "a whole number", "object": "an object", "array": "a list", "decimal": "a number"}

# Decimal keeps a number as it was written, and takes those that leave the range of a float.
_untyped = msgspec.json.Decoder(float_hook=Decimal)
_encoder = msgspec.json.Encoder(decimal_format="number")


def complaint(expected: str, got: str, where: str) -> str:
    """The form of every complaint about input."""
    return f"expected {expected}, got {got} at {where}" if where else f"expected {expected}, got {got}"


def shown(value: object, most: int = 60) -> str:
    """A value as JSON, cut so that an error stays a sentence."""
    if value is SOMETHING:
        return "something else"
    text = _encoder.encode(value).decode()
    return text if len(text) <= most else f"{text[:most]}…"


def document_of(raw: bytes) -> object:
    """The JSON without types; SOMETHING where even that cannot be read."""
    try:
        return _untyped.decode(raw)
    except (ValueError, ArithmeticError, RecursionError):
        return SOMETHING


def unreadable(raw: bytes, error: Exception) -> str:
    """What came instead of JSON in UTF-8, in words."""
    if not raw.strip():
        return "nothing"
    if raw.startswith(b"\xef\xbb\xbf"):
        return "a byte order mark in front of it"
    if raw.startswith(b"\x1f\x8b"):
        return "gzip"
    if b"\0" in raw[:4]:
        return "UTF-16"
    if isinstance(error, RecursionError):
        return "one that is nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return "bytes that are not UTF-8"
    message = str(error)
    return (
        "JSON that breaks off" if "truncated" in message else f"broken JSON: {message.removeprefix('JSON is malformed: ')}"
    )


def explain(error: msgspec.ValidationError, raw: bytes, prefix: str = "") -> str:
    """The sentence for a validation error of `raw`; `prefix` says where that lies (events[3])."""
    message = str(error)
    match = _PLACE.search(message)
    path = match["path"] if match else ""
    tokens = _TOKEN.findall(path)
    pattern = "".join(f".{name}" if name else "[]" for name, _ in tokens).lstrip(".")
    where = (prefix + path).lstrip(".")
    field = _FIELD.search(message)
    if field and "missing" in message:
        return complaint(f"the field {field[1]}", "none", where)
    if field:
        return complaint(KNOWN.get(pattern) or _known(prefix), shown(field[1]), where)
    document = document_of(raw)
    if "`key` in" in message:
        return complaint("property names of 1 to 50 characters", _wrong_name(_resolve(document, tokens)), where)
    value = _resolve(document, tokens)
    if "[...]" in path and isinstance(value, dict):
        name, value = _wrong_property(value)
        where = where.replace("[...]", f".{name[:50]}" if name else "")
    return complaint(EXPECTED.get(pattern) or _in_words(message), _size_or_value(value, message), where)


def _known(prefix: str) -> str:
    if prefix:
        return "known fields only (your own belong into properties)"
    return "only the fields events, key, visitor, sent_at and user_agent"


def _resolve(value: Any, tokens: list[tuple[str, str]]) -> Any:
    """The value at the path; for entries of an object, which the decoder does not name, the object."""
    for name, place in tokens:
        if place == "...":
            return value
        try:
            value = value[int(place)] if place else value[name]
        except (KeyError, IndexError, TypeError):
            return SOMETHING
    return value


def _wrong_property(entries: dict[str, Any]) -> tuple[str, Any]:
    """The first entry that a property cannot be."""
    for name, entry in entries.items():
        fits = isinstance(entry, bool | int | str) or (isinstance(entry, Decimal) and abs(entry.adjusted()) < 308)
        if not fits or (isinstance(entry, str) and len(entry) > 500):
            return name, entry
    return "", SOMETHING


def _wrong_name(entries: Any) -> str:
    names = [name for name in entries if not 1 <= len(name) <= 50] if isinstance(entries, dict) else []
    return f"{len(names[0])} characters" if names else "something else"


def _size_or_value(value: object, message: str) -> str:
    if "of length" in message:
        if isinstance(value, str) and value:
            return f"{len(value)} characters"
        if isinstance(value, list | dict):
            return f"{'a list' if isinstance(value, list) else 'an object'} of {len(value)}"
    return shown(value)


def _in_words(message: str) -> str:
    kind = re.match(r"Expected `(\w+)[^`]*`(?: of length (<=|>=) (\d+))?", message)
    if kind is None:
        return "something else"
    words = _KINDS.get(kind[1], kind[1])
    if kind[2]:
        return f"{words} of at {'most' if kind[2] == '<=' else 'least'} {kind[3]} characters"
    return words
