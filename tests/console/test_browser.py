"""The console in a real browser: log-in over plain http on this box, the content policy, and a phone's width."""

import os
import shutil
import threading
from collections.abc import Iterator

import pytest
from flask import Flask
from playwright.sync_api import Page, sync_playwright
from werkzeug.serving import make_server

from baliza.settings import Settings
from baliza.sites import SiteRegistry, load_sites
from baliza.stores import History, RedisClient
from console.app import create_app
from tests.console.test_reports import bought, visit
from tests.support.rows import NOON, insert_events
from tests.tracker.test_receipts import tell

CHROMIUM = os.environ.get("BALIZA_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome") or ""
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.redis,
    pytest.mark.clickhouse,
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium on PATH"),
]


@pytest.fixture
def address(app: Flask, settings: Settings, redis_client: RedisClient, history: History) -> Iterator[str]:
    """The console as it is installed, with secure cookies, on a free port of this box."""
    safe = Settings(data_dir=settings.data_dir, secure_cookies=True)

    def registry() -> SiteRegistry:
        return load_sites(redis_client)

    server = make_server("127.0.0.1", 0, create_app(safe, redis_client, history, registry, lambda: NOON), threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def page() -> Iterator[Page]:
    """A page as wide as a phone."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser.new_page(viewport={"width": 390, "height": 800})
        browser.close()


def test_person_logs_in_reads_a_story_and_logs_out(address: str, page: Page, history: History) -> None:
    insert_events(history, [bought("a", 20), visit("b", 10, campaign="a-name-without-any-place-to-break-" * 5)])
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(f"{address}/?purchased=true")
    page.fill("#name", "demo")
    page.fill("#password", "demo-demo")
    page.click("button.primary")
    assert page.url == f"{address}/?purchased=true"
    page.goto(address)
    assert page.locator("tbody tr").count() == 2
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.locator("td.when a").nth(1).click()
    page.wait_for_url("**/sessions/a?site=demo")
    assert "Bought" in page.inner_text("h1 + p")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.click(".leave button")
    assert page.url == f"{address}/login"
    assert complaints == []


def test_receipts_fit_a_phone(address: str, page: Page, history: History) -> None:
    tell(history, 1_234_567, NOON)
    page.goto(address)
    page.fill("#name", "demo")
    page.fill("#password", "demo-demo")
    page.click("button.primary")
    page.click("header nav >> text=Receipts")
    page.wait_for_url("**/receipts?site=demo")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.locator("thead th").first.is_visible()
    assert page.locator("tr.wrong").count() == 2
