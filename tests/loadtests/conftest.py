"""A far end for load: small enough to be understood, and told by the test how to behave."""

import socket
import threading
from collections.abc import Iterator

import pytest

ACCEPTED = b"HTTP/1.1 202 Accepted\r\nVary: Origin\r\nContent-Length: 0\r\n\r\n"


class FarEnd:
    """Answers 202 to every read: 503 when the body ends with `bad` or `failing` is set, closes when it ends with `close`.

    Nothing is answered while `open` is cleared.
    """

    def __init__(self, listener: socket.socket) -> None:
        self.heard: list[bytes] = []
        self.failing = False
        self.open = threading.Event()
        self.open.set()
        self.asked = threading.Event()
        self.address: tuple[str, int] = listener.getsockname()[:2]
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection = listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with connection:
            try:
                while data := connection.recv(65536):
                    self.heard.append(data)
                    self.asked.set()
                    if data.endswith(b"close"):
                        return
                    self.open.wait(10)
                    bad = self.failing or data.endswith(b"bad")
                    connection.sendall(ACCEPTED.replace(b"202", b"503") if bad else ACCEPTED)
            except ConnectionError:
                return


@pytest.fixture
def far_end() -> Iterator[FarEnd]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield FarEnd(listener)
        listener.shutdown(socket.SHUT_RDWR)
