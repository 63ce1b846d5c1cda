"""Everything on the public port but the beacon: ordinary WSGI apps in a small thread pool, one call a request."""

import io
import logging
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from threading import BoundedSemaphore
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from baliza.errors import StoreDown
from tracker.request import Answer, Request, client_address, problem_answer

__all__ = ["WsgiBridge", "call_wsgi", "environ_of"]

log = logging.getLogger("baliza.edge")

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
# More requests than this waiting for a thread are answered 503: by then nobody waits for them any more.
MAX_WAITING: Final = 256
# Said by CONTENT_LENGTH and CONTENT_TYPE. Of a body in chunks, which are put together by now, Flask would read nothing.
_NOT_PASSED_ON: Final = frozenset({"content-length", "content-type", "transfer-encoding"})
# These are the connection's to say, not the application's.
_HOP_BY_HOP: Final = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})


class WsgiBridge:
    """Runs a WSGI app on threads. `done` of submit() is called on such a thread."""

    def __init__(self, app: Wsgi, threads: int, trusted_proxies: int) -> None:
        self._app, self._trusted_proxies = app, trusted_proxies
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="wsgi")
        self._places = BoundedSemaphore(MAX_WAITING)

    def submit(self, request: Request, done: Callable[[Answer], None]) -> None:
        """Answer the request some time later. Does not block; refuses with 503 when too many wait."""
        environ = environ_of(request, self._trusted_proxies)
        if not self._places.acquire(blocking=False):
            done(problem_answer(StoreDown("too many requests are waiting")))
            return

        def run() -> None:
            answer = call_wsgi(self._app, environ)
            self._places.release()
            done(answer)

        self._pool.submit(run)

    def close(self) -> None:
        """Wait for what is running."""
        self._pool.shutdown(wait=True)


def environ_of(request: Request, trusted_proxies: int) -> dict[str, Any]:
    """The WSGI environment (PEP 3333) of a request."""
    path, _, query = request.target.partition("?")
    host, port = _host_and_port(request.header("host"))
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path.encode("latin-1")).decode("latin-1"),
        "QUERY_STRING": query,
        "CONTENT_LENGTH": str(len(request.body)),
        "CONTENT_TYPE": request.header("content-type"),
        "SERVER_NAME": host,
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": client_address(request.peer, request.header("x-forwarded-for"), trusted_proxies),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": _scheme(request.header("x-forwarded-proto")) if trusted_proxies else "http",
        "wsgi.input": io.BytesIO(request.body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in request.headers.items():
        # A name with an underscore could pass for another header (X_Forwarded_For): WSGI cannot tell them apart.
        if name not in _NOT_PASSED_ON and "_" not in name:
            environ["HTTP_" + name.upper().replace("-", "_")] = value
    return environ


def _host_and_port(host: str) -> tuple[str, str]:
    """Of a Host header; an IPv6 address keeps its brackets."""
    name, colon, port = host.rpartition(":")
    if not colon or not port.isdigit():
        name, port = host.removesuffix(":"), "80"
    return name or "localhost", port


def _scheme(forwarded: str) -> str:
    """What the last proxy says; anything but https is http."""
    return "https" if forwarded.rpartition(",")[2].strip().lower() == "https" else "http"


def call_wsgi(app: Wsgi, environ: dict[str, Any]) -> Answer:
    """Run the app to its end and collect its answer. An exception becomes a plain 500: it must not end the thread."""
    head: list[tuple[int, list[tuple[str, str]]]] = []
    written: list[bytes] = []

    def start_response(status: str, headers: list[tuple[str, str]], _exc_info: object = None) -> Callable[[bytes], None]:
        head.append((int(status[:3]), list(headers)))
        return written.append

    try:
        result = app(environ, start_response)
        try:
            written.extend(result)
        finally:
            if hasattr(result, "close"):
                result.close()
        status, headers = head[-1]
    except BaseException:  # whatever an application does, its client gets an answer
        log.exception("an application failed at %s %s", environ["REQUEST_METHOD"], environ["PATH_INFO"])
        return Answer(500, [("Content-Type", "text/plain")], b"something went wrong here\n")
    kept = [(name, value) for name, value in headers if name.lower() not in _HOP_BY_HOP]
    if environ["REQUEST_METHOD"] == "HEAD":
        return Answer(status, kept, b"", _length(headers, written))
    return Answer(status, kept, b"".join(written))


def _length(headers: list[tuple[str, str]], written: list[bytes]) -> int:
    """How long the body would be: as the application says, for it may know better than to make one for HEAD."""
    said = [value for name, value in headers if name.lower() == "content-length" and value.isdigit()]
    return int(said[0]) if said else sum(map(len, written))
