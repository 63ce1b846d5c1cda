"""What baliza knows of the visitor who asks: the shop's server reads the live session, as the server of any shop may."""

from collections.abc import Callable, Mapping
from typing import Any

import httpx
from flask import Blueprint, current_app, request

from demo import paths
from demo.catalogue import BY_ID, Product
from demo.page import show

__all__ = ["SessionOf", "nobody", "seen", "session_reader"]

SessionOf = Callable[[str], Mapping[str, Any] | None]
_COOKIE = "bz_v"  # the beacon's visitor id
_TIMEOUT_S = 2.0

seen = Blueprint("seen", __name__)


def nobody(_visitor_id: str) -> None:
    """Knows no session: for a shop that has no secret key."""
    return


def session_reader(base_url: str, secret_key: str) -> SessionOf:
    """Asks baliza for the session that a visitor is in; None when there is none, or no answer within two seconds."""
    headers = {"Authorization": f"Bearer {secret_key}"}
    client = httpx.Client(base_url=base_url, headers=headers, timeout=_TIMEOUT_S, trust_env=False)

    def session_of(visitor_id: str) -> Mapping[str, Any] | None:
        try:
            answer = client.get("/v1/sessions/current", params={"visitor": visitor_id})
        except httpx.HTTPError:
            return None
        found: dict[str, Any] | None = answer.json() if answer.status_code == 200 else None
        return found

    return session_of


@seen.get(paths.SEEN)
def page() -> str:
    """The visit as baliza has it, and what to click to see each feature at work."""
    visitor_id = request.cookies.get(_COOKIE, "")[:100]
    visit = current_app.config["SESSION_OF"](visitor_id) if visitor_id else None
    return show("seen.html", visit=visit, visitor_id=visitor_id, viewed=_viewed(visit or {}))


def _viewed(visit: Mapping[str, Any]) -> list[Product]:
    return [BY_ID[each["item_id"]] for each in visit.get("viewed", []) if each["item_id"] in BY_ID]
