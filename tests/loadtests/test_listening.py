from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, RemoteDisconnected
from http.server import BaseHTTPRequestHandler
from threading import Barrier

import pytest

from loadtests.listening import Listening

pytestmark = pytest.mark.network


class Answers(BaseHTTPRequestHandler):
    """/fail is a mistake of the handler's; anything else is what the server was told to say."""

    far_end: "Saying"

    def do_GET(self) -> None:
        if self.path == "/fail":
            raise ValueError("a mistake")
        self.far_end.meet()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.far_end.words.encode())

    def log_message(self, *_args: object) -> None:
        """Quiet."""


class Saying(Listening):
    def __init__(self, words: str, meet: Callable[[], object] = lambda: None) -> None:
        self.words, self.meet = words, meet
        super().__init__(Answers)


@pytest.fixture
def server() -> Iterator[Saying]:
    started = Saying("one")
    yield started
    started.stop()


def ask(server: Listening, path: str = "/") -> str:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def test_handlers_of_two_servers_know_their_own(server: Saying) -> None:
    other = Saying("two")
    try:
        assert server.origin == f"http://127.0.0.1:{server.port}" != other.origin
        assert [ask(server), ask(other)] == ["one", "two"]
    finally:
        other.stop()


def test_requests_are_answered_side_by_side() -> None:
    server = Saying("both", Barrier(2, timeout=10).wait)
    try:
        with ThreadPoolExecutor(2) as pool:
            assert list(pool.map(lambda _: ask(server), range(2))) == ["both", "both"]
    finally:
        server.stop()


def test_nobody_listens_any_more_after_a_stop() -> None:
    server = Saying("one")
    server.stop()
    with pytest.raises(ConnectionRefusedError):
        ask(server)


def test_a_client_that_hangs_up_is_not_worth_a_word_but_a_mistake_is(
    server: Saying, capfd: pytest.CaptureFixture[str]
) -> None:
    def reset() -> None:
        raise ConnectionResetError

    server.meet = reset
    with pytest.raises(RemoteDisconnected):
        ask(server)
    assert capfd.readouterr().err == ""
    with pytest.raises(RemoteDisconnected):
        ask(server, "/fail")
    assert "ValueError: a mistake" in capfd.readouterr().err
