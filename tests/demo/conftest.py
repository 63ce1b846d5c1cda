"""The browser, for the tests of the demo shop's own script; the shop, mounted as in production."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from demo.shop import create_app
from js_beacon import PARTS, script_path
from tests.support.browser import browser, chromium_path, context, page, wait_until

__all__ = ["browser", "chromium_path", "context", "page", "wait_until"]


@dataclass
class Baliza:
    """The far end of the wire: takes what is sent to /o, answers offers, and has the shop under /shop."""

    shop: Flask
    bodies: list[dict[str, Any]] = field(default_factory=list)
    user_agents: list[str] = field(default_factory=list)
    authorizations: list[str | None] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)
    offers: dict[str, Any] = field(default_factory=lambda: {"offers": []})
    statuses: list[int] = field(default_factory=list)
    sessions: dict[str, Any] = field(default_factory=dict)
    url: str = ""

    @property
    def events(self) -> list[dict[str, Any]]:
        """Every event, once, in the order of arrival."""
        return list({event["event_id"]: event for body in self.bodies for event in body["events"]}.values())

    def types(self) -> list[str]:
        return [event["type"] for event in self.events]

    def one(self, kind: str) -> dict[str, Any]:
        found = [event for event in self.events if event["type"] == kind]
        assert len(found) == 1, f"expected one {kind}, got {self.types()}"
        return found[0]

    def answer(self, request: Request) -> Response:
        if request.path[1:] in PARTS:
            return Response(script_path(request.path[1:]).read_bytes(), mimetype="text/javascript")
        if request.path == "/v1/offers":
            self.asked.append(request.args.to_dict())
            return Response(json.dumps(self.offers), mimetype="application/json")
        if request.path == "/v1/sessions/current":
            self.authorizations.append(request.headers.get("Authorization"))
            found = self.sessions.get(request.args["visitor"])
            return Response(json.dumps(found), 200 if found else 404, mimetype="application/json")
        if request.path != "/o":
            return Response(status=404)
        status = self.statuses.pop(0) if self.statuses else 202
        self.user_agents.append(request.headers["User-Agent"])
        self.authorizations.append(request.headers.get("Authorization"))
        self.bodies.append(json.loads(request.get_data()))
        return Response(status=status)


@pytest.fixture
def baliza() -> Iterator[Baliza]:
    far_end = Baliza(create_app("pk_test", new_order_id=lambda: "T-1"))
    root: Callable[..., Any] = Request.application(far_end.answer)
    server = make_server("127.0.0.1", 0, DispatcherMiddleware(root, {"/shop": far_end.shop}), threaded=True)
    far_end.url = f"http://127.0.0.1:{server.port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield far_end
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def shop() -> FlaskClient:
    """The shop alone, mounted under /shop, without a network."""
    app = create_app("pk_test", new_order_id=lambda: "T-1")
    app.wsgi_app = DispatcherMiddleware(Response(status=404), {"/shop": app.wsgi_app})  # type: ignore[method-assign]
    return app.test_client()
