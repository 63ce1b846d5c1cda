"""GET /v1/responses: how visitors answered offers, for the shop's server. What they do is told to POST /o."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from flask import Flask, Response, request

from baliza.errors import BadRequest
from baliza.http import json_answer, site_of_secret
from baliza.sites import SiteRegistry
from baliza.stores import History
from personalizer.feedback.report import read_answers, report_of

__all__ = ["PATH", "add_responses"]

PATH: Final = "/v1/responses"
DAYS: Final = 30


def add_responses(app: Flask, history: History, registry: Callable[[], SiteRegistry], now: Callable[[], datetime]) -> None:
    """Let the app answer PATH. registry: may raise StoreDown. now: UTC."""
    app.add_url_rule(PATH, "responses", _Responses(history, registry, now).answer, methods=["GET"])


@dataclass(frozen=True)
class _Responses:
    history: History
    registry: Callable[[], SiteRegistry]
    now: Callable[[], datetime]

    def answer(self) -> Response:
        site = site_of_secret(self.registry())
        now = self.now()
        since, until = _instant("since", now - timedelta(days=DAYS)), _instant("until", now)
        if since >= until:
            raise BadRequest(f"since: expected a time before until ({until.isoformat()}), got {since.isoformat()}")
        found = read_answers(self.history, site.name, since, until)
        answer = json_answer(report_of(site.name, found, since, until))
        answer.headers["Cache-Control"] = "no-store"
        return answer


def _instant(name: str, otherwise: datetime) -> datetime:
    """With an offset, because a time without one means something else in every zone."""
    raw = request.args.get(name)
    if raw is None:
        return otherwise
    try:
        instant = datetime.fromisoformat(raw.replace(" ", "+"))  # a plus that nobody escaped
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None or not 1970 < instant.year < 2200:
        raise BadRequest(f"{name}: expected an instant such as 2026-11-21T10:00:00Z, got {raw[:100]!r}")
    return instant
