import pytest

from baliza.errors import BadRequest, StoreDown, Unauthorized
from tracker.request import PIXEL, Answer, Request, client_address, origin_form, problem_answer, truncated


def test_pixel_is_a_gif_of_43_bytes() -> None:
    assert len(PIXEL) == 43
    assert PIXEL.startswith(b"GIF89a")


def test_path_and_query_are_told_apart() -> None:
    request = Request("GET", "/o.gif?a=1&b=&a=2", {}, b"", "192.0.2.1")
    assert request.path == "/o.gif"
    assert request.query() == {"a": "2", "b": ""}
    assert request.header("missing") == ""


def test_head_of_an_answer() -> None:
    answer = Answer(202, [("Vary", "Origin")], b"ab")
    assert answer.head() == b"HTTP/1.1 202 Accepted\r\nVary: Origin\r\nContent-Length: 2\r\n\r\n"
    assert answer.head("close").endswith(b"Content-Length: 2\r\nConnection: close\r\n\r\n")


@pytest.mark.parametrize("status", [204, 304])
def test_answer_without_body_has_no_length(status: int) -> None:
    assert b"Content-Length" not in Answer(status).head()


def test_status_that_nobody_knows_has_a_phrase() -> None:
    assert Answer(299).head().startswith(b"HTTP/1.1 299 Other\r\n")


@pytest.mark.parametrize("value", ["a\r\nSet-Cookie: b=1", "a\nSet-Cookie: b=1", "a\rSet-Cookie: b=1", "a\r\n\r\n<script>"])
def test_value_cannot_become_a_header_of_its_own(value: str) -> None:
    head = Answer(400, [("X-Baliza-Error", value), ("Vary", "Origin")]).head()
    lines = head.decode().split("\r\n")
    assert len(lines) == 4 + 2
    assert lines[1].startswith("X-Baliza-Error: a")
    assert "\n" not in lines[1]
    assert "\r" not in lines[1]


def test_characters_beyond_latin_1_do_not_break_the_head() -> None:
    assert b"expected number ? 0" in Answer(400, [("X-Baliza-Error", "expected number ≥ 0")]).head()


def test_problem_says_when_to_come_again() -> None:
    assert dict(problem_answer(StoreDown("away")).headers)["Retry-After"] == "2"
    assert dict(problem_answer(Unauthorized("who?")).headers)["WWW-Authenticate"] == "Bearer"
    answer = problem_answer(BadRequest("no"))
    assert answer.status == 400
    assert b'"detail":"no"' in answer.body


@pytest.mark.parametrize(
    ("forwarded", "proxies", "expected"),
    [
        ("203.0.113.9", 0, "192.0.2.7"),
        ("", 1, "192.0.2.7"),
        ("203.0.113.9", 1, "203.0.113.9"),
        ("198.51.100.66, 203.0.113.9", 1, "203.0.113.9"),
        ("198.51.100.66, 203.0.113.9, 10.0.0.1", 2, "203.0.113.9"),
        ("203.0.113.9", 2, "203.0.113.9"),
        ("198.51.100.66, ", 1, "192.0.2.7"),
    ],
)
def test_believes_as_many_entries_as_there_are_proxies(forwarded: str, proxies: int, expected: str) -> None:
    assert client_address("192.0.2.7", forwarded, proxies) == expected


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/o?a=http://x/y", "/o?a=http://x/y"),
        ("http://shop.test/o?a=1", "/o?a=1"),
        ("https://shop.test", "/"),
        ("http://shop.test?a=1/2", "/?a=1/2"),
        ("*", "*"),
    ],
)
def test_absolute_target_becomes_path_and_query(target: str, expected: str) -> None:
    assert origin_form(target) == expected


@pytest.mark.parametrize(
    ("address", "network"),
    [("203.0.113.77", "203.0.113.0/24"), ("2001:db8:1:2::3", "2001:db8:1::/48"), ("unknown", ""), ("", "")],
)
def test_address_is_cut_to_its_network(address: str, network: str) -> None:
    assert truncated(address) == network
