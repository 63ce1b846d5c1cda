"""The public port: of one box (tracker, personalizer and, in the demo, the shop, told apart by path), or of one of them.

What serves is imported late: the ground does not stand on services, and gunicorn's parent must not have them.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any

from werkzeug.utils import redirect

from baliza.servers import serve_edge
from baliza.settings import Settings, load_settings

__all__ = ["ByPath", "personalizer_edge", "public_edge", "serve_personalizer", "serve_public", "serve_tracker"]

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
PERSONALIZER_PATHS = ("/v1/offers", "/v1/carts", "/v1/responses", "/v1/catalogue")


class ByPath:
    """WSGI: the first prefix that the path begins with decides. A mounted app sees its prefix as SCRIPT_NAME."""

    def __init__(self, otherwise: Wsgi, prefixes: Mapping[str, Wsgi], mounts: Mapping[str, Wsgi]) -> None:
        self._otherwise, self._prefixes, self._mounts = otherwise, prefixes, mounts

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path: str = environ.get("PATH_INFO", "")
        for mount, app in self._mounts.items():
            if path == mount or path.startswith(f"{mount}/"):
                moved = {"SCRIPT_NAME": environ.get("SCRIPT_NAME", "") + mount, "PATH_INFO": path[len(mount) :]}
                return app(environ | moved, start_response)
        for prefix, app in self._prefixes.items():
            if path == prefix or path.startswith(f"{prefix}/"):
                return app(environ, start_response)
        return self._otherwise(environ, start_response)


def serve_public(settings: Settings) -> None:
    """Tracker and personalizer on one port. Blocks until told to stop."""
    serve_edge(settings, "baliza.public:public_edge")


def serve_tracker(settings: Settings) -> None:
    """The tracker alone on the public port. Blocks until told to stop."""
    serve_edge(settings, "tracker.serve:tracker_edge")


def serve_personalizer(settings: Settings) -> None:
    """The personalizer alone on the public port. Blocks until told to stop."""
    serve_edge(settings, "baliza.public:personalizer_edge")


def public_edge() -> Any:
    """What a worker of the public port runs, with the settings of now."""
    settings, edge, personalizer = load_settings(), import_module("tracker.edge"), import_module("personalizer.serve")
    offers = personalizer.personalizer_wsgi(settings)
    return edge.EdgeApp(settings, _public_wsgi(settings, offers), personalizer.personalizer_inline(offers))


def personalizer_edge() -> Any:
    """What a worker of the personalizer runs, with the settings of now: the same loop, which takes no events."""
    settings, edge, personalizer = load_settings(), import_module("tracker.edge"), import_module("personalizer.serve")
    offers = personalizer.personalizer_wsgi(settings)
    return edge.EdgeApp(settings, offers, personalizer.personalizer_inline(offers), observes=False)


def _public_wsgi(settings: Settings, offers: Wsgi) -> ByPath:
    tracker = import_module("tracker.serve")
    prefixes: dict[str, Wsgi] = dict.fromkeys(PERSONALIZER_PATHS, offers)
    mounts = {}
    if os.environ.get("BALIZA_DEMO"):
        shop, seen = import_module("demo.shop"), import_module("demo.seen")
        session_of = seen.session_reader(settings.local_url, "sk_demo")
        mounts["/shop"] = shop.create_app("pk_demo", session_of=session_of, console_url=settings.console_url)
        prefixes["/"] = redirect("/shop/")  # whoever types the bare address wants to see the shop
    return ByPath(tracker.tracker_wsgi(settings), prefixes, mounts)
