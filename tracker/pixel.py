"""GET /o.gif: one event in a query string, for pages without script and for e-mail; made into a body like POST /o has."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from baliza.errors import BadRequest
from tracker.request import Request

__all__ = ["header_text", "pixel_body"]

_PLAIN: Final = str.maketrans({"≥": ">=", "≤": "<=", "…": "..."})

# Query name → field of the event. What belongs to page, content or the item is put there below.
_FIELDS: Final = (
    "event_id", "customer_id", "currency", "value", "transaction_id", "response_code", "decision_id", "placement",
    "search_term", "consent", "occurred_at",
)  # fmt: skip
_OTHERS: Final = frozenset({"key", "visitor", "type", "url", "referrer", "title", "item_id", "content", "r"})


def pixel_body(request: Request, now_ms: int, new_id: Callable[[], str]) -> bytes:
    """The batch of one event that the query string stands for. BadRequest names fields that are not known.

    Without `event_id` each load counts; without `url` the page is the Referer. `r` is for defeating caches and ignored.
    """
    try:
        query = request.query()
    except ValueError:
        raise BadRequest("expected at most 100 fields in the query string, got more") from None
    unknown = query.keys() - _OTHERS - set(_FIELDS)
    if unknown:
        known = ", ".join(sorted(_OTHERS | set(_FIELDS)))
        raise BadRequest(f"expected only the fields {known}, got {sorted(unknown)[0]!r} in the query string")
    event: dict[str, Any] = {name: query[name] for name in _FIELDS if query.get(name)}
    event.setdefault("event_id", new_id())
    event.setdefault("occurred_at", datetime.fromtimestamp(now_ms / 1000, UTC))
    event["type"] = query.get("type") or "page_view"
    url = query.get("url") or request.header("referer")
    event["page"] = {"url": url[:2048], "referrer": query.get("referrer", "")[:2048], "title": query.get("title", "")[:300]}
    if query.get("item_id"):
        event["items"] = [{"item_id": query["item_id"]}]
    if query.get("content"):
        kind, _, content_id = query["content"].partition(":")
        event["content"] = {"kind": kind, "id": content_id}
    batch = {"key": query.get("key", ""), "events": [event]}
    if query.get("visitor"):
        batch["visitor"] = query["visitor"]
    return msgspec.json.encode(batch)


def header_text(sentence: str) -> str:
    """A complaint about the one event of a pixel as a header value, which is ASCII without line breaks."""
    plain = sentence.replace("events[0].", "").replace(" at events[0]", "").translate(_PLAIN)
    return "".join(char if " " <= char <= "~" else f"\\u{ord(char):04x}" for char in plain)[:1000]
