"""Small HTTP servers for measurements and tests: on a free port of loopback from the moment that they are made."""

import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

__all__ = ["Listening"]

POLL_S: Final = 0.05  # how long a stop may have to wait


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 100

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients hang up when they like, and pages that are left take their answers with them: no word about that."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class Listening:
    """Answers with `handler`, one thread a connection, until `stop`. Handlers find this object in `self.far_end`."""

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        self._server = _Server(("127.0.0.1", 0), type(handler.__name__, (handler,), {"far_end": self}))
        self.port: int = self._server.server_address[1]
        self.origin = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(POLL_S,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Take no more requests; those under way may end."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
