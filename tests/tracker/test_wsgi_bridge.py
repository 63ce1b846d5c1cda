import threading
from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.validate import validator

import flask
import pytest
from flask import Flask

from baliza.http import base_app
from tracker.request import Answer, Request
from tracker.wsgi_bridge import MAX_WAITING, WsgiBridge, call_wsgi, environ_of

Environ = dict[str, Any]
Start = Callable[..., Any]


def request(method: str = "GET", target: str = "/", body: bytes = b"", **headers: str) -> Request:
    return Request(method, target, {name.replace("_", "-"): value for name, value in headers.items()}, body, "192.0.2.7")


def hello(environ: Environ, start_response: Start) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5"), ("Connection", "close")])
    return [b"he", b"llo"]


def test_environ_says_what_was_asked() -> None:
    asked = request("POST", "/a%20b/%C3%A9?q=%20x", b"body", host="shop.test:8080", content_type="text/plain", accept="*/*")
    environ = environ_of(asked, 0)
    assert environ["REQUEST_METHOD"] == "POST"
    assert environ["PATH_INFO"] == "/a b/Ã©", "bytes as latin-1, as WSGI wants it"
    assert environ["QUERY_STRING"] == "q=%20x"
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == ("shop.test", "8080")
    assert (environ["CONTENT_TYPE"], environ["CONTENT_LENGTH"]) == ("text/plain", "4")
    assert (environ["HTTP_HOST"], environ["HTTP_ACCEPT"]) == ("shop.test:8080", "*/*")
    assert "HTTP_CONTENT_TYPE" not in environ
    assert environ["wsgi.input"].read() == b"body"
    assert environ["REMOTE_ADDR"] == "192.0.2.7"


def test_an_application_reads_a_body_that_came_in_chunks() -> None:
    app = Flask("echo")
    app.add_url_rule("/", "echo", lambda: flask.request.get_data(), methods=["POST"])
    assert call_wsgi(app, environ_of(request("POST", "/", b"body", transfer_encoding="chunked"), 0)).body == b"body"


def test_path_keeps_its_bytes_escaped_or_not() -> None:
    raw = environ_of(request(target="/\xc3\xa9"), 0)["PATH_INFO"]
    assert raw == environ_of(request(target="/%C3%A9"), 0)["PATH_INFO"] == "/\xc3\xa9"


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("shop.test", ("shop.test", "80")),
        ("[::1]:81", ("[::1]", "81")),
        ("[::1]", ("[::1]", "80")),
        ("", ("localhost", "80")),
    ],
)
def test_host_and_port_of_any_form(host: str, expected: tuple[str, str]) -> None:
    environ = environ_of(request(host=host), 0)
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == expected


@pytest.mark.parametrize(("proxies", "expected"), [(0, "192.0.2.7"), (1, "203.0.113.9"), (2, "198.51.100.66")])
def test_address_by_trusted_proxies(proxies: int, expected: str) -> None:
    assert environ_of(request(x_forwarded_for="198.51.100.66, 203.0.113.9"), proxies)["REMOTE_ADDR"] == expected


@pytest.mark.parametrize(
    ("said", "proxies", "expected"),
    [("https", 0, "http"), ("https", 1, "https"), ("", 1, "http"), ("http, https", 1, "https"), ("javascript", 1, "http")],
)
def test_scheme_is_a_trusted_proxys_to_say(said: str, proxies: int, expected: str) -> None:
    assert environ_of(request(x_forwarded_proto=said), proxies)["wsgi.url_scheme"] == expected


def test_underscore_does_not_pass_for_a_hyphen() -> None:
    asked = Request("GET", "/", {"x_forwarded_for": "203.0.113.9", "x-real": "1"}, b"", "192.0.2.7")
    environ = environ_of(asked, 1)
    assert "HTTP_X_FORWARDED_FOR" not in environ
    assert environ["REMOTE_ADDR"] == "192.0.2.7"
    assert environ["HTTP_X_REAL"] == "1"


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS"])
@pytest.mark.parametrize("target", ["/health", "/nowhere?x=1", "/"])
def test_is_a_server_by_the_book(method: str, target: str) -> None:
    app = base_app("test", {})
    answer = call_wsgi(validator(app), environ_of(request(method, target, b"abc" if method == "POST" else b""), 0))
    assert answer.status in (200, 404, 405)


def test_leaves_hop_by_hop_headers_to_the_connection() -> None:
    assert call_wsgi(hello, environ_of(request(), 0)) == Answer(200, [("Content-Type", "text/plain")], b"hello")


def test_head_tells_the_length_of_what_get_would_bring() -> None:
    answer = call_wsgi(hello, environ_of(request("HEAD"), 0))
    assert answer.body == b""
    assert b"Content-Length: 5" in answer.head()


def test_written_comes_before_returned() -> None:
    def app(_environ: Environ, start_response: Start) -> Iterable[bytes]:
        start_response("200 OK", [])(b"first ")
        return [b"second"]

    assert call_wsgi(app, environ_of(request(), 0)).body == b"first second"


def fails_at_once(_environ: Environ, _start_response: Start) -> Iterable[bytes]:
    raise RuntimeError("planned")


def fails_later(_environ: Environ, start_response: Start) -> Iterable[bytes]:
    start_response("200 OK", [])
    yield b"a part"
    raise RuntimeError("planned")


def exits(_environ: Environ, _start_response: Start) -> Iterable[bytes]:
    raise SystemExit(3)


def says_nothing(_environ: Environ, _start_response: Start) -> Iterable[bytes]:
    return []


def talks_nonsense(_environ: Environ, start_response: Start) -> Iterable[bytes]:
    start_response("fine", [])
    return []


@pytest.mark.parametrize("app", [fails_at_once, fails_later, exits, says_nothing, talks_nonsense])
def test_application_that_fails_is_a_500(app: Any, caplog: pytest.LogCaptureFixture) -> None:
    answer = call_wsgi(app, environ_of(request(target="/broken"), 0))
    assert answer.status == 500
    assert b"planned" not in answer.body
    assert "an application failed at GET /broken" in caplog.text


def test_closes_what_the_application_returned() -> None:
    class Body(list[bytes]):
        closed = False

        def close(self) -> None:
            self.closed = True

    body = Body([b"x"])

    def app(_environ: Environ, start_response: Start) -> Iterable[bytes]:
        start_response("200 OK", [])
        return body

    call_wsgi(app, environ_of(request(), 0))
    assert body.closed


def test_refuses_when_too_many_wait_and_counts_right() -> None:
    go_on = threading.Event()

    def waits(_environ: Environ, start_response: Start) -> Iterable[bytes]:
        go_on.wait(10)
        start_response("200 OK", [])
        return []

    bridge = WsgiBridge(waits, 8, 0)
    answers: list[Answer] = []
    for _ in range(MAX_WAITING + 3):
        bridge.submit(request(), answers.append)
    assert [answer.status for answer in answers] == [503] * 3
    go_on.set()
    for _ in range(3):  # all places are free again, whatever the threads did at the same time
        wait_for(answers, 3 + MAX_WAITING)
        del answers[:]
        for _ in range(MAX_WAITING):
            bridge.submit(request(), answers.append)
        wait_for(answers, MAX_WAITING)
        assert {answer.status for answer in answers} == {200}
        answers.extend([Answer(0)] * 3)
    bridge.close()


def wait_for(answers: list[Answer], count: int) -> None:
    done = threading.Event()
    for _ in range(500):
        if len(answers) >= count:
            return
        done.wait(0.01)
    raise AssertionError(f"{len(answers)} answers after 5 s, not {count}")
