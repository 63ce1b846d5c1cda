"""Consent that comes late, that is denied, and browsers that say no: what is not allowed neither leaves nor is stored."""

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.support.live_shop import LiveShop, search
from tests.support.observed import WAITING, visitor_of

pytestmark = [pytest.mark.browser, pytest.mark.network]

STORED = "Object.keys(localStorage).filter(name => !name.startsWith('truth:'))"
GPC = "Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', {get: () => true})"
DNT = "Object.defineProperty(Navigator.prototype, 'doNotTrack', {get: () => '1'})"
# Twice as long as the beacon gathers, and a little more.
QUIET_MS = 600


def assert_untouched(shop: LiveShop, page: Page) -> None:
    page.wait_for_timeout(QUIET_MS)
    assert shop.front.arrivals == []
    assert page.evaluate(STORED) == []
    assert page.context.cookies() == []


@pytest.fixture
def asking(shop: LiveShop) -> LiveShop:
    """Its pages /a and /b ask for consent first, and its site keeps nothing without it."""
    for path in ("/asking", "/asking2"):
        shop.page(path, tag='data-consent="required"', key=shop.strict.key)
    return shop


def test_consent_given_late_lets_go_what_was_seen_before(page: Page, asking: LiveShop) -> None:
    asking.visit(page, "/asking")
    searched = search(page)
    page.evaluate("baliza('cart', [{item_id: 'LAMP-1', price: 39.9, quantity: 2}], {currency: 'EUR'})")
    assert_untouched(asking, page)
    page.evaluate("baliza('consent', 'granted')")
    asking.until_sent(page)
    visitor = visitor_of(page)
    observed = asking.strict
    assert observed.terms(visitor) == dict.fromkeys(searched, 1)
    assert sorted(observed.types(visitor)) == ["page_view", "search", "sync_cart"]
    assert {event.consent for event in observed.events(visitor)} == {"granted"}
    session = observed.session(visitor)
    assert (session["page_views"], session["events"], session["cart"]["pieces"]) == (1, 3, 2)
    assert session["landing_path"] == "/asking"


def test_consent_is_remembered_by_the_next_page_and_the_other_tab(context: BrowserContext, asking: LiveShop) -> None:
    page = asking.open(context, "/asking")
    page.evaluate("baliza('consent', 'granted')")
    other = asking.open(context, "/asking2")
    searched = search(other)
    asking.visit(page, "/asking2")
    for tab in (page, other):
        asking.until_sent(tab)
    visitor = visitor_of(page)
    assert asking.strict.terms(visitor) == dict.fromkeys(searched, 1)
    assert asking.strict.session(visitor)["page_views"] == 3


def test_a_page_that_is_left_without_an_answer_leaves_no_trace(page: Page, asking: LiveShop) -> None:
    asking.visit(page, "/asking")
    search(page)
    page.click("#plain")
    page.wait_for_url("**/plain")
    assert_untouched(asking, page)


def test_a_denial_forgets_and_stays(page: Page, asking: LiveShop) -> None:
    asking.visit(page, "/asking")
    search(page)
    page.evaluate("baliza('consent', 'denied')")
    search(page)
    asking.visit(page, "/asking2")
    search(page)
    page.wait_for_timeout(QUIET_MS)
    assert asking.front.arrivals == []
    assert page.evaluate(STORED) == []
    assert [(cookie["name"], cookie["value"]) for cookie in page.context.cookies()] == [("bz_g", "denied")]


def test_a_denial_takes_back_what_waits_in_all_tabs(context: BrowserContext, shop: LiveShop) -> None:
    shop.front.fate = lambda _arrival: (503, {})
    first, second = shop.open(context), shop.open(context, "/b")
    search(first)
    search(second)
    assert first.evaluate(WAITING) != []
    visitor = visitor_of(first)
    first.evaluate("baliza('consent', 'denied')")
    search(first)
    search(second)
    shop.front.forget()
    first.wait_for_timeout(2500)
    assert shop.front.arrivals == []
    assert (second.evaluate(STORED), second.evaluate("document.cookie")) == ([], "bz_g=denied")
    assert shop.observed.profile(visitor) is None


@pytest.mark.parametrize("signal", [GPC, DNT], ids=["GPC", "DNT"])
def test_a_browser_that_says_no_is_not_observed(page: Page, shop: LiveShop, signal: str) -> None:
    page.add_init_script(signal)
    shop.visit(page)
    search(page)
    page.evaluate("baliza('consent', 'granted')")
    page.evaluate("baliza('identify', 'c-42')")
    search(page)
    page.click("#b")
    page.wait_for_url("**/b")
    assert_untouched(shop, page)


@pytest.mark.parametrize("header", ["Sec-GPC", "DNT"])
def test_what_only_the_collector_is_told_counts_too(context: BrowserContext, shop: LiveShop, header: str) -> None:
    context.set_extra_http_headers({header: "1"})
    page = shop.open(context)
    (searched,) = search(page)
    shop.until_sent(page)
    answer = shop.front.arrivals[-1]
    assert (answer.status, answer.answer["x-baliza-dropped"]) == (202, "consent")
    assert searched not in shop.observed.terms()
    assert shop.observed.profile(visitor_of(page)) is None


def test_a_no_of_the_browser_later_removes_all(page: Page, shop: LiveShop) -> None:
    shop.visit(page)
    search(page)
    shop.until_sent(page)
    page.add_init_script(GPC)
    shop.visit(page)
    shop.front.forget()
    assert_untouched(shop, page)
