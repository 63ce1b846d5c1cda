"""The collector's ordinary paths: the beacon's scripts and the profiles that a shop's server may read."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from flask import Flask, Response, request

from baliza.errors import BadRequest, NotFound
from baliza.http import Probe, base_app, json_answer, site_of_secret
from baliza.readiness.files import ReadinessShelf
from baliza.settings import Settings
from baliza.sites import Site, SiteRegistry
from baliza.stores import RedisClient, call
from js_beacon import PARTS, script_path
from schema import keys
from schema.profile import VisitorProfile, decode_profile
from tracker.profiles import describe_session, describe_visitor

__all__ = ["create_app"]


def create_app(
    settings: Settings,
    redis: RedisClient,
    registry: Callable[[], SiteRegistry],
    now_ms: Callable[[], int],
    probes: Mapping[str, Probe],
    shelf: ReadinessShelf | None = None,
) -> Flask:
    """The tracker's Flask app. `registry` answers the sites of now; `probes` are what /ready asks.

    shelf: the models of readiness that were learned; without it the rules tell it.
    """
    app = base_app("tracker", probes)

    def profile_of(visitor_id: str, site: Site) -> VisitorProfile:
        key = keys.visitor(keys.partition_of(visitor_id, settings.partitions), site.name, visitor_id)
        stored = call(lambda: redis.get(key))
        if stored is None:
            raise NotFound(f"no events of the visitor {visitor_id!r} of {site.name} in the last 30 days")
        return decode_profile(stored)

    for part in PARTS:
        app.add_url_rule(f"/{part}", part, partial(_script, script_path(part)))

    @app.get("/v1/sessions/current")
    def current_session() -> Response:
        visitor_id = request.args.get("visitor", "")
        if not 1 <= len(visitor_id) <= 100:
            raise BadRequest(f"visitor: expected the visitor's id (1 to 100 characters), got {len(visitor_id)} characters")
        site = site_of_secret(registry())
        profile = profile_of(visitor_id, site)
        if profile.session is None:
            raise NotFound(f"the visitor {visitor_id!r} has no session that is not over")
        now, idle_ms = now_ms(), settings.session_idle_s * 1000
        model = shelf.get(site.name) if shelf else None
        return json_answer(describe_session(visitor_id, profile, profile.session, now, idle_ms, model))

    @app.get("/v1/visitors/<path:visitor_id>")
    def visitor(visitor_id: str) -> Response:
        return json_answer(describe_visitor(visitor_id, profile_of(visitor_id, site_of_secret(registry()))))

    return app


def _script(path: Path) -> Response:
    answer = Response(path.read_bytes(), mimetype="text/javascript")
    answer.headers["Cache-Control"] = "public, max-age=3600"
    answer.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    answer.add_etag()
    return answer.make_conditional(request)  # type: ignore[return-value]
