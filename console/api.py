"""Reports for programs: /v1/reports/sessions as JSON or CSV, the story of one session, and how readiness is told."""

from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import chain, islice
from typing import Any, Final

import msgspec
from flask import Blueprint, Response, request

from baliza.errors import BadRequest
from baliza.http import json_answer
from baliza.readiness.files import ReadinessShelf
from baliza.settings import Settings
from baliza.sites import Site
from baliza.stores import History, RedisClient
from console import reports
from console.access import Registry, report_site
from console.export import csv_lines
from console.filters import MAX_LIMIT, SessionFilter, parse_filter, zone_of
from console.readiness import readiness_report

__all__ = ["report_routes"]

LINES_PER_CHUNK: Final = 500


def report_routes(
    settings: Settings,
    redis: RedisClient,
    history: History,
    registry: Registry,
    now: Callable[[], datetime],
    shelf: ReadinessShelf,
) -> Blueprint:
    """The blueprint of /v1/reports. `now`: the clock, with its zone. shelf: the models of readiness."""
    routes = Blueprint("reports", __name__, url_prefix="/v1/reports")
    idle_s = settings.cart_idle_s

    @routes.get("/sessions")
    def list_sessions() -> Response:
        site, moment = report_site(redis, registry), now()
        wanted = parse_filter(request.args, site, moment)
        form = request.args.get("format", "json")
        if form not in ("json", "csv"):
            raise BadRequest(f"format: expected json or csv, got {form!r}")
        if form == "csv":
            return _csv_answer(history, site, wanted, idle_s, moment)
        return json_answer(_json_body(history, site, wanted, idle_s, moment))

    @routes.get("/sessions/<session_id>")
    def tell_story(session_id: str) -> Response:
        site = report_site(redis, registry)
        return json_answer(reports.session_story(history, site.name, session_id, idle_s, now(), shelf.get(site.name)))

    @routes.get("/readiness")
    def tell_readiness() -> Response:
        site = report_site(redis, registry)
        return json_answer(readiness_report(settings.model_dir, site.name))

    return routes


def _json_body(history: History, site: Site, wanted: SessionFilter, idle_s: int, moment: datetime) -> dict[str, Any]:
    page = reports.sessions(history, wanted, idle_s, moment)
    # The summary reads all sessions of the filter, so only the first page pays for it.
    totals = None if wanted.after else reports.summary(history, wanted, idle_s, moment, zone_of(site))
    return {
        "site": site.name,
        "timezone": site.timezone,
        "since": wanted.since,
        "until": wanted.until,
        "summary": totals,
        "sessions": page.sessions,
        "next": page.next,
    }


def _csv_answer(history: History, site: Site, wanted: SessionFilter, idle_s: int, moment: datetime) -> Response:
    """With `limit` one page and its X-Next-Cursor; without it all sessions, read and sent page after page."""
    zone = zone_of(site)
    name = f"sessions-{site.name}-{wanted.since.astimezone(zone):%Y-%m-%d}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    if request.args.get("limit"):
        page = reports.sessions(history, wanted, idle_s, moment)
        if page.next:
            headers["X-Next-Cursor"] = page.next
        rows = iter(page.sessions)
    else:
        rows = reports.all_sessions(history, msgspec.structs.replace(wanted, limit=MAX_LIMIT), idle_s, moment)
    # The first page is read before the answer begins, so that a store that is down is told by the status.
    first = list(islice(rows, 1))
    return Response(_chunks(csv_lines(chain(first, rows), zone)), headers=headers, mimetype="text/csv")


def _chunks(lines: Iterator[str]) -> Iterator[str]:
    while chunk := "".join(islice(lines, LINES_PER_CHUNK)):
        yield chunk
