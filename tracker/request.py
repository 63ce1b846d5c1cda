"""What the hot path needs of an HTTP request and makes of an HTTP answer. No sockets here."""

import ipaddress
from base64 import b64decode
from dataclasses import dataclass, field
from functools import lru_cache
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl

import msgspec

from baliza.errors import BalizaError, StoreDown, TooManyEvents, Unauthorized, problem
from tracker.heads import Head

__all__ = ["PIXEL", "Answer", "Request", "client_address", "origin_form", "problem_answer", "readable_by", "truncated"]

# The smallest image there is: a transparent GIF of one pixel, 43 bytes.
PIXEL: Final = b64decode("R0lGODlhAQABAIAAAP///wAAACH5BAEAAAAALAAAAAABAAEAAAICRAEAOw==")


@dataclass(slots=True)
class Request:
    """One request, without its length. Header names are lower case; the peer is an IP address.

    `head`: what is known of all that have the same; they share the headers, which are not to be changed. `counted`: the
    limit of its network knows of it.
    """

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    peer: str
    head: Head | None = field(default=None, compare=False)
    counted: bool = field(default=False, compare=False)

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    def query(self) -> dict[str, str]:
        """The query string; of a name given twice the last value counts. ValueError over 100 fields."""
        return dict(parse_qsl(self.target.partition("?")[2], keep_blank_values=True, max_num_fields=100))

    def header(self, name: str) -> str:
        return self.headers.get(name, "")


_BODILESS: Final = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})
_STATUS_LINES: Final = {status.value: f"HTTP/1.1 {status.value} {status.phrase}" for status in HTTPStatus}


@dataclass(slots=True)
class Answer:
    """One answer; Connection is the connection's business. `length`: of the body that a HEAD leaves out."""

    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    length: int | None = None

    @property
    def has_body(self) -> bool:
        return self.status not in _BODILESS

    def head(self, connection: str = "") -> bytes:
        """The answer's head as bytes on the wire, up to and with the empty line. `connection` empty: no such header."""
        length = (len(self.body) if self.length is None else self.length) if self.has_body else None
        return _head(self.status, tuple(self.headers), length, connection)


# Nearly all answers of the hot path are one of a few.
@lru_cache(maxsize=1024)
def _head(status: int, headers: tuple[tuple[str, str], ...], length: int | None, connection: str) -> bytes:
    lines = [_STATUS_LINES.get(status) or f"HTTP/1.1 {status} Other"]
    lines += [f"{name}: {value}" for name, value in headers]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    if connection:
        lines.append(f"Connection: {connection}")
    text = "\r\n".join(lines)
    if text.count("\n") >= len(lines) or text.count("\r") >= len(lines):
        # A value that breaks the line could pass for a header of ours.
        text = "\r\n".join(" ".join(line.splitlines()) for line in lines)
    return f"{text}\r\n\r\n".encode("latin-1", "replace")


def problem_answer(error: BalizaError) -> Answer:
    """The error as application/problem+json, with Retry-After where trying again can help."""
    headers = [("Content-Type", "application/problem+json")]
    if isinstance(error, StoreDown | TooManyEvents):
        headers.append(("Retry-After", str(error.retry_after_s)))
    if isinstance(error, Unauthorized):
        headers.append(("WWW-Authenticate", "Bearer"))
    return Answer(error.status, headers, msgspec.json.encode(problem(error)))


def readable_by(origin: str) -> list[tuple[str, str]]:
    """The headers that let pages of this origin read an answer, and what it says about the events."""
    return [
        ("Access-Control-Allow-Origin", origin),
        ("Access-Control-Expose-Headers", "X-Baliza-Dropped, X-Baliza-Count, Retry-After"),
        ("Vary", "Origin"),
    ]


def client_address(peer: str, forwarded_for: str, trusted_proxies: int) -> str:
    """The client's address. Of X-Forwarded-For, which anybody can write, only as many entries count as proxies are ours."""
    if trusted_proxies == 0 or not forwarded_for:
        return peer
    entries = [entry.strip() for entry in forwarded_for.split(",")]
    return entries[-min(trusted_proxies, len(entries))] or peer


def origin_form(target: str) -> str:
    """Path and query of a target that may come with scheme and authority, as it does to proxies."""
    if target.startswith("/") or "://" not in target:
        return target
    authority, slash, path = target.partition("://")[2].partition("/")
    _, mark, query = authority.partition("?")
    return f"/{mark}{query}{slash}{path}" if mark else f"/{path}"


@lru_cache(maxsize=8192)
def truncated(address: str) -> str:
    """The network of an address, all that is ever written down: /24 of IPv4, /48 of IPv6; empty if it is neither."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return ""
    prefix = 24 if parsed.version == 4 else 48
    return str(ipaddress.ip_network((parsed, prefix), strict=False))
