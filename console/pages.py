"""The pages of the console: sessions, the story of one, the receipts, and how readiness to buy is told."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from flask import Blueprint, Response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as Answer

from baliza.errors import BadRequest, NotFound
from baliza.readiness.files import ReadinessShelf
from baliza.readiness.rules import PURPOSES
from baliza.settings import Settings
from baliza.sites import Site, User
from baliza.stores import History, RedisClient
from console import reports
from console.access import Registry, current_user, form_token, site_of_user
from console.charts import chart_of
from console.filters import NAMES, PERIODS, SessionFilter, parse_filter, zone_of
from console.readiness import diagram, readiness_report
from console.strings import text
from tracker.receipts import read_receipts, total
from tracker.receipts_gauges import FATES, MOST_ENTRIES

__all__ = ["page_routes"]

ROWS_PER_PAGE: Final = 50
RECEIPTS_HOURS: Final = 24
RECEIPTS_TRIES: Final = 5
KEPT: Final = tuple(sorted(NAMES - {"format", "limit"}))  # arguments that links of a page carry on


def page_routes(
    settings: Settings,
    redis: RedisClient,
    history: History,
    registry: Registry,
    now: Callable[[], datetime],
    shelf: ReadinessShelf,
) -> Blueprint:
    """The blueprint of the pages that need a person logged in. now: the clock, with its zone. shelf: models of readiness."""
    routes = Blueprint("pages", __name__)

    def people_only(show: Callable[[User, Site], Answer | str]) -> Answer | str:
        user = current_user(redis)
        if user is None:
            here = request.full_path.rstrip("?")
            return redirect(url_for("login.show", next=here))
        return show(user, site_of_user(user, registry()))

    @routes.get("/")
    def sessions() -> Answer | str:
        return people_only(lambda user, site: _sessions_page(settings, history, user, site, now()))

    @routes.get("/sessions/<session_id>")
    def story(session_id: str) -> Answer | str:
        def show(user: User, site: Site) -> str:
            told = reports.session_story(history, site.name, session_id, settings.cart_idle_s, now(), shelf.get(site.name))
            return render_template("story.html", story=told, **_frame(user, site))

        return people_only(show)

    @routes.get("/receipts")
    def receipts() -> Answer | str:
        return people_only(lambda user, site: _receipts_page(settings, redis, history, user, site, now()))

    @routes.get("/readiness")
    def readiness() -> Answer | str:
        def show(user: User, site: Site) -> str:
            report = readiness_report(settings.model_dir, site.name)
            return render_template("readiness.html", report=report, active="readiness", **_frame(user, site))

        return people_only(show)

    @routes.get("/readiness.svg")
    def readiness_diagram() -> Answer | str:
        return people_only(lambda _user, site: _diagram(settings, site))

    return routes


def _diagram(settings: Settings, site: Site) -> Answer:
    picture = diagram(readiness_report(settings.model_dir, site.name), text("readiness.diagram"))
    if picture is None:
        raise NotFound(f"nothing was measured of the readiness of {site.name} yet")
    return Response(picture, mimetype="image/svg+xml")


def _frame(user: User, site: Site) -> dict[str, Any]:
    """What every page needs: who looks at which site, its zone, and the token of the log-out form."""
    return {"user": user, "site": site, "zone": zone_of(site), "form_token": form_token()}


def _receipts_page(settings: Settings, redis: RedisClient, history: History, user: User, site: Site, now: datetime) -> str:
    begin = now - timedelta(hours=RECEIPTS_HOURS - 1)
    found = read_receipts(redis, history, settings, begin, now, site.name, MOST_ENTRIES, RECEIPTS_TRIES)
    whole = total(found.lines, site.name) if found.lines else None
    return render_template(
        "receipts.html",
        found=found,
        lines=found.lines[::-1],
        whole=whole,
        fates=FATES,
        active="receipts",
        **_frame(user, site),
    )


def _sessions_page(settings: Settings, history: History, user: User, site: Site, now: datetime) -> str:
    args = arguments_of_form(request.args)
    try:
        wanted, wrong = parse_filter(args | {"limit": str(ROWS_PER_PAGE)}, site, now), ""
    except BadRequest as error:
        # The form is shown again with what was wrong; the default period stands in.
        args = {"site": site.name}
        wanted, wrong = parse_filter({"limit": str(ROWS_PER_PAGE)}, site, now), str(error)
    frame = _frame(user, site)
    page = reports.sessions(history, wanted, settings.cart_idle_s, now)
    # Totals read every session of the filter; who leafs through older pages has seen them.
    summary = None if wanted.after else reports.summary(history, wanted, settings.cart_idle_s, now, frame["zone"])
    sources, devices = reports.choices(history, site.name)
    return render_template(
        "sessions.html",
        page=page,
        summary=summary,
        chart=summary and chart_of(summary, wanted.since, wanted.until, frame["zone"]),
        wanted=wanted,
        wrong=wrong,
        args=args,
        period=_period_shown(args),
        periods=PERIODS,
        purposes=PURPOSES,
        last_day=wanted.until - timedelta(milliseconds=1),
        sources=sources,
        devices=devices,
        is_new=not page.sessions and not reports.has_sessions(history, site.name),
        base_url=settings.base_url,
        link=lambda **changes: link_with(args, site, **changes),
        filtered=_is_filtered(wanted),
        **frame,
    )


def arguments_of_form(args: Mapping[str, str]) -> dict[str, str]:
    """What a form sent, without its empty fields. Dates win over the period that the form carries along."""
    given = {name: args[name] for name in KEPT if args.get(name, "").strip()}
    if "since" in given or "until" in given:
        given.pop("period", None)
    return given


def link_with(args: Mapping[str, str], site: Site, **changes: str | None) -> str:
    """The query string of this page with some arguments changed; None takes one away. The cursor never stays."""
    merged = {**args, "site": site.name, "cursor": None, **changes}
    return "?" + urlencode({name: value for name, value in merged.items() if value})


def _period_shown(args: Mapping[str, str]) -> str:
    return "" if "since" in args or "until" in args else args.get("period", "7d")


def _is_filtered(wanted: SessionFilter) -> bool:
    chosen = (wanted.purchased, wanted.abandoned)
    return bool(wanted.purpose or wanted.source or wanted.device or wanted.bots) or chosen != (None, None)
