"""A real browser, and the far end of the wire: a small server that serves pages and writes down what it was sent."""

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import msgspec
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from js_beacon import PARTS, script_path
from loadtests.listening import Listening
from schema.events import Batch

CHROMIUM_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Makes timers of `ms` wait longer: what a page does before or after one is not to depend on how busy the machine is.
STRETCHED = """{{
  const timer = setTimeout;
  window.setTimeout = (what, ms, ...given) => timer(what, ms === {ms} ? {longer} : ms, ...given);
}}"""
NO_HURRY = STRETCHED.format(ms=300, longer=20_000)  # of the widget, which gives an answer that long
WITHIN_S = 30  # far beyond what a busy machine needs
HOW_TO_GET_CHROMIUM = "no Chromium found: run `apt-get install chromium`, or set BALIZA_CHROMIUM to its path"


class FarEndHandler(BaseHTTPRequestHandler):
    far_end: "FarEnd"

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        if path[1:] in PARTS:
            return self.reply(200, "text/javascript", script_path(path[1:]).read_bytes())
        if path == "/v1/offers":
            self.far_end.asked.append(dict(parse_qsl(self.path.partition("?")[2])))
            time.sleep(self.far_end.offers_after_s)
            return self.reply(200, "application/json", json.dumps(self.far_end.offers).encode())
        page = self.far_end.pages.get(path)
        if page is None:
            return self.reply(404, "text/plain", b"")
        return self.reply(200, "text/html; charset=utf-8", page.encode())

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.far_end.headers.append({name.lower(): value for name, value in self.headers.items()})
        self.far_end.bodies.append(body)
        self.reply(self.far_end.answers.pop(0) if self.far_end.answers else 202, "text/plain", b"")

    def reply(self, status: int, kind: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        more = self.far_end.page_headers if kind.startswith("text/html") else self.far_end.answer_headers
        for name, value in more.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_args: object) -> None:
        """Quiet."""


class FarEnd(Listening):
    """Serves the pages given to it, the beacon's parts, offers, and POST /o; keeps every request."""

    def __init__(self) -> None:
        self.pages: dict[str, str] = {}
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.answers: list[int] = []
        self.answer_headers: dict[str, str] = {}
        self.page_headers: dict[str, str] = {}
        self.offers: dict[str, Any] = {"offers": []}
        self.offers_after_s = 0.0
        self.asked: list[dict[str, str]] = []
        super().__init__(FarEndHandler)

    @property
    def events(self) -> list[dict[str, Any]]:
        """Every event received, once, in the order of arrival; an event that was sent again counts once."""
        return list({event["event_id"]: event for body in self.bodies for event in body["events"]}.values())

    def types(self) -> list[str]:
        return [event["type"] for event in self.events]

    def one(self, kind: str) -> dict[str, Any]:
        found = [event for event in self.events if event["type"] == kind]
        assert len(found) == 1, f"expected one {kind}, got {self.types()}"
        return found[0]


@pytest.fixture
def far_end() -> Iterator[FarEnd]:
    server = FarEnd()
    yield server
    server.stop()
    for body in server.bodies:
        msgspec.json.decode(json.dumps(body), type=Batch)


@pytest.fixture(scope="module")
def chromium_path() -> str:
    named = os.environ.get("BALIZA_CHROMIUM")
    found = named if named and Path(named).exists() else shutil.which("chromium")
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail(HOW_TO_GET_CHROMIUM)
        pytest.skip(HOW_TO_GET_CHROMIUM)
    return found


@pytest.fixture(scope="module")
def browser(chromium_path: str) -> Iterator[Browser]:
    # Of a module, not of the session: Playwright allows one at a time, and two folders have this fixture.
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium_path, args=CHROMIUM_ARGS)
        yield started
        started.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A visitor's browser: its storage is its own."""
    made = browser.new_context()
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    made = context.new_page()
    made.set_default_timeout(1000 * WITHIN_S)
    return made


@pytest.fixture
def wait_until(page: Page) -> Callable[[Callable[[], bool]], None]:
    """Wait for the far end to have seen something, within WITHIN_S. Playwright's own loop must turn meanwhile."""

    def wait(condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + WITHIN_S
        while not condition():
            assert time.monotonic() < deadline, f"waited {WITHIN_S} s for the browser's request"
            page.wait_for_timeout(20)

    return wait


@pytest.fixture
def shop_page(far_end: FarEnd) -> Callable[..., str]:
    """Put a page with the beacon on the far end: shop_page("/p", before="dataLayer=[…]") answers its address."""

    def make(path: str = "/", before: str = "", tag: str = "", title: str = "Lamp", body: str = "") -> str:
        far_end.pages[path] = (
            f"<!doctype html><title>{title}</title><script>{before}</script>"
            f'<script async src="/b.js" data-site="pk_test" {tag}></script><a id="next" href="/next">next</a>{body}'
        )
        return far_end.origin + path

    return make
