"""`python -m tests.support.odd_apps`: the edge worker with an application that is slow, large or broken on demand."""

import threading
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any

from baliza.servers import serve_edge
from baliza.settings import load_settings

Start = Callable[..., Any]


def odd_app(environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
    """/slow/<seconds>, /large/<bytes>, /status/<status line>, /raise, else the path itself."""
    _, kind, *rest = environ["PATH_INFO"].split("/")
    given = rest[0] if rest else ""
    if kind == "raise":
        raise RuntimeError("planned")
    if kind == "slow":
        threading.Event().wait(float(given))
    start_response(given if kind == "status" else "200 OK", [("Content-Type", "text/plain")])
    return [b"x" * int(given)] if kind == "large" else [environ["PATH_INFO"].encode("latin-1")]


def odd_edge() -> Any:
    """Imported late, as by the product: see baliza.servers."""
    return import_module("tracker.edge").EdgeApp(load_settings(), odd_app)


if __name__ == "__main__":
    serve_edge(load_settings(), "tests.support.odd_apps:odd_edge")
