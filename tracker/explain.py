"""From a decoder's complaint to a sentence for the sender: what was expected, what came, and where."""

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from schema.events import EVENT_TYPES, MAX_EVENTS_PER_BATCH, MAX_ITEMS_PER_EVENT, MAX_PROPERTIES, MAX_QUANTITY

__all__ = ["complaint", "explain", "shown"]

# What the schema's constraints mean, in words; by field, without places in lists.
EXPECTED: Final[Mapping[str, str]] = {
    "events": f"a list of 1 to {MAX_EVENTS_PER_BATCH} events",
    "key": "text of at most 100 characters",
    "sent_at": 'a time with zone like "2026-11-21T10:00:04.000Z"',
    "visitor": "text of 1 to 100 characters",
    "event_id": "text of 1 to 100 characters",
    "type": f"one of {', '.join(EVENT_TYPES)}",
    "occurred_at": 'a time with zone like "2026-11-21T10:00:04.000Z"',
    "page": "an object with url, referrer and title",
    "currency": 'an ISO 4217 code like "EUR"',
    "value": "a number ≥ 0",
    "shipping": "a number ≥ 0",
    "tax": "a number ≥ 0",
    "items": f"a list of at most {MAX_ITEMS_PER_EVENT} items",
    "items[]": "an object with at least item_id",
    "items[].item_id": "text of 1 to 100 characters",
    "items[].price": "number ≥ 0",
    "items[].discount": "number ≥ 0",
    "items[].quantity": f"a whole number from 0 to {MAX_QUANTITY}",
    "content": "an object with kind and id",
    "content.kind": "one of product, category, ad, promotion, editorial, subscription",
    "consent": '"granted" or "denied"',
    "search_term": "text of at most 200 characters",
    "properties": f"an object of at most {MAX_PROPERTIES} entries",
    "properties[]": "text of at most 500 characters, a number, true or false",
}
_PLACE = re.compile(r" - at `(?:key` in `)?\$(?P<path>[^`]*)`$")
_TOKEN = re.compile(r"\.([A-Za-z0-9_]+)|\[(\d+|\.\.\.)\]")
_FIELD = re.compile(r"(?:missing required|contains unknown) field `([^`]*)`")


def complaint(expected: str, got: str, where: str) -> str:
    """The form of every complaint about input."""
    return f"expected {expected}, got {got} at {where}" if where else f"expected {expected}, got {got}"


def shown(value: object, most: int = 60) -> str:
    """A value as JSON, cut so that an error stays a sentence."""
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= most else f"{text[:most]}…"


def explain(error: msgspec.ValidationError, document: object, prefix: str = "") -> str:
    """The sentence for a validation error. `document` is what was decoded, untyped; `prefix` where it lies (events[3])."""
    message = str(error)
    match = _PLACE.search(message)
    tokens = _TOKEN.findall(match["path"]) if match else []
    where = prefix + (match["path"] if match else "")
    where = where.lstrip(".")
    field = _FIELD.search(message)
    if field and "missing" in message:
        return complaint(f"the field {field[1]}", "none", where)
    if field:
        return complaint("known fields only (your own belong into properties)", shown(field[1]), where)
    value, where = _resolve(document, tokens, where)
    if "`key` in" in message:
        return complaint("property names of 1 to 50 characters", "another", where)
    pattern = re.sub(r"\[[^\]]*\]", "[]", "".join(f".{name}" if name else "[]" for name, _ in tokens)).lstrip(".")
    return complaint(EXPECTED.get(pattern) or _in_words(message), shown(value), where)


def _resolve(document: object, tokens: list[tuple[str, str]], where: str) -> tuple[Any, str]:
    """The value at the path. The decoder does not name keys of a dict: the first one with a wrong value is it."""
    value: Any = document
    for name, place in tokens:
        if place == "...":
            key = next((key for key, entry in value.items() if _wrong_property(entry)), "?")
            value, where = value.get(key), where.replace("[...]", f".{key}")
        elif place:
            value = value[int(place)]
        else:
            value = value.get(name)
    return value, where


def _wrong_property(entry: object) -> bool:
    return not isinstance(entry, str | int | float | bool) or (isinstance(entry, str) and len(entry) > 500)


_KINDS = {"str": "text", "int": "a whole number", "object": "an object", "array": "a list", "decimal": "a number"}


def _in_words(message: str) -> str:
    kind = re.match(r"Expected `(\w+)[^`]*`(?: of length (<=|>=) (\d+))?", message)
    if kind is None:
        return "something else"
    words = _KINDS.get(kind[1], kind[1])
    if kind[2]:
        return f"{words} of at {'most' if kind[2] == '<=' else 'least'} {kind[3]} characters"
    return words
