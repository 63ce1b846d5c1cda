"""Storage that is full, forbidden or blocked: what is observed arrives all the same."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.js_beacon.live.conftest import ARGUMENTS
from tests.support.front import CUT, PASS
from tests.support.live_shop import LiveShop, counted_once, search, until
from tests.support.observed import WAITING, visitor_of

pytestmark = [pytest.mark.browser, pytest.mark.network]

# To the last character: the shop's own data, which nobody may touch.
FILL = """() => {
  for (let size = 1 << 20; size; size >>= 1)
    try { for (let n = 0; ; n++) localStorage['shop' + size + '-' + n] = 'x'.repeat(size) } catch (full) {}
  return JSON.stringify(localStorage).length
}"""
FORBID = "Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('no', 'SecurityError') }})"
NO_COOKIES = "Object.defineProperty(Document.prototype, 'cookie', {get: () => '', set: () => {}})"


def fill(page: Page, shop: LiveShop) -> int:
    page.goto(shop.origin + "/plain")
    size: int = page.evaluate(FILL)
    assert size > 5_000_000
    return size


def only_visitor(shop: LiveShop, known: set[str]) -> str:
    (visitor,) = shop.observed.visitors() - known
    return visitor


@pytest.fixture
def known(shop: LiveShop) -> set[str]:
    """Who was there before the test."""
    return shop.observed.visitors()


@pytest.mark.parametrize("left_by", ["link", "waiting"])
def test_full_storage(page: Page, shop: LiveShop, known: set[str], left_by: str) -> None:
    size = fill(page, shop)
    searched = []
    for path in ("/a", "/b"):
        shop.visit(page, path)
        searched += search(page)
        if left_by == "waiting":
            until(lambda: set(searched) <= set(shop.observed.terms()), "the event did not arrive")  # noqa: B023
    page.goto(shop.origin + "/plain")
    until(lambda: set(searched) <= set(shop.observed.terms()), "the events did not arrive")
    visitor = only_visitor(shop, known)  # the cookie knows who it is
    session = counted_once(shop, visitor)
    assert (session["page_views"], session["search_term"]) == (2, searched[-1])
    assert page.evaluate("JSON.stringify(localStorage).length") == size


def test_storage_that_becomes_full_in_the_middle(page: Page, shop: LiveShop) -> None:
    shop.front.fate = lambda _arrival: CUT
    shop.visit(page)
    searched = search(page)
    assert page.evaluate(WAITING) != []
    page.evaluate(FILL)
    searched += search(page)
    shop.front.fate = lambda _arrival: PASS
    until(lambda: set(searched) <= set(shop.observed.terms()), "the events did not arrive")
    visitor = visitor_of(page)
    shop.until_sent(page)
    assert counted_once(shop, visitor)["page_views"] == 1
    assert shop.observed.terms(visitor) == dict.fromkeys(searched, 1)


def test_forbidden_storage(page: Page, shop: LiveShop, known: set[str]) -> None:
    page.add_init_script(FORBID)
    searched = []
    for path in ("/a", "/b"):
        shop.visit(page, path)
        searched += search(page)
        # What waits is in memory only, and leaves with the page.
    page.goto(shop.origin + "/plain")
    until(lambda: set(searched) <= set(shop.observed.terms()), "the events did not arrive")
    visitor = only_visitor(shop, known)
    session = counted_once(shop, visitor)
    assert (session["page_views"], session["search_term"]) == (2, searched[-1])


def test_forbidden_storage_comes_through_an_outage(page: Page, shop: LiveShop, known: set[str]) -> None:
    page.add_init_script(FORBID)
    shop.front.fate = lambda _arrival: CUT
    shop.visit(page)
    searched = search(page)
    until(lambda: len(shop.front.arrivals) >= 2, "not tried again")
    shop.front.fate = lambda _arrival: PASS
    until(lambda: set(searched) <= set(shop.observed.terms()), "the events did not arrive")
    assert counted_once(shop, only_visitor(shop, known))["page_views"] == 1


def test_neither_storage_nor_cookies_make_each_page_another_visitor(page: Page, shop: LiveShop, known: set[str]) -> None:
    page.add_init_script(FORBID)
    page.add_init_script(NO_COOKIES)
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    for path in ("/a", "/b"):
        shop.visit(page, path)
        searched = search(page)
        until(lambda: searched[0] in shop.observed.terms(), "the event did not arrive")  # noqa: B023 - called at once
    visitors = shop.observed.visitors() - known
    assert [counted_once(shop, visitor)["page_views"] for visitor in visitors] == [1, 1]
    assert problems == []


@pytest.fixture
def blocking(browser: Browser, chromium_path: str, tmp_path: Path) -> Iterator[BrowserContext]:
    """A browser whose owner blocks all cookies, which takes away storage and locks as well."""
    preferences = tmp_path / "profile" / "Default" / "Preferences"
    preferences.parent.mkdir(parents=True)
    preferences.write_text(json.dumps({"profile": {"default_content_setting_values": {"cookies": 2}}}))
    context = browser.browser_type.launch_persistent_context(
        tmp_path / "profile", executable_path=chromium_path, args=ARGUMENTS
    )
    yield context
    context.close()


def test_a_browser_that_blocks_all_cookies(blocking: BrowserContext, shop: LiveShop, known: set[str]) -> None:
    page = shop.open(blocking)
    assert (
        page.evaluate("(() => { try { return localStorage.length } catch (error) { return error.name } })()")
        == "SecurityError"
    )
    searched = search(page)
    until(lambda: searched[0] in shop.observed.terms(), "the event did not arrive")
    session = counted_once(shop, only_visitor(shop, known))
    assert (session["page_views"], session["events"]) == (1, 2)


def test_of_more_than_a_thousand_the_oldest_go_and_are_counted(page: Page, shop: LiveShop) -> None:
    shop.front.fate = lambda _arrival: CUT
    shop.visit(page)
    visitor = visitor_of(page)
    page.evaluate("() => { for (let n = 1; n <= 1020; n++) baliza('event', 'search', {search_term: 'many-' + n}) }")
    assert len(page.evaluate(WAITING)) == 1000
    shop.front.fate = lambda _arrival: PASS
    shop.until_sent(page, within_s=60)
    last = search(page)
    shop.until_sent(page)
    taken = shop.observed.terms(visitor)
    assert set(taken) == {f"many-{n}" for n in range(21, 1021)} | set(last)
    assert set(taken.values()) == {1}
    # The page's own view was the oldest of all.
    (told,) = [event for event in shop.observed.events(visitor) if "lost_events" in event.properties]
    assert (told.search_term, told.properties["lost_events"]) == (last[0], 21)
    assert shop.observed.session(visitor)["events"] == 1001
