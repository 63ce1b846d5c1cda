"""What a visitor does with pages → what arrives → the session: reload, back and forward, one page for all."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.support.live_shop import LiveShop, counted_once, search, until
from tests.support.observed import TRUTH, told_by, visitor_of

pytestmark = [pytest.mark.browser, pytest.mark.network]
LOOKED = 500  # ms in which the beacon has surely looked at the address

SHOWS = "addEventListener('pageshow', event => (window.shows = window.shows || []).push(event.persisted))"


@contextmanager
def fresh(browser: Browser) -> Iterator[Page]:
    """A page of a visitor who was never here, that writes down how it is shown."""
    context = browser.new_context()
    context.add_init_script(TRUTH)
    context.add_init_script(SHOWS)
    yield context.new_page()
    context.close()


def until_seen(shop: LiveShop, visitor: str, views: int) -> None:
    """Until the collector has so many views of pages. The driver must not be asked meanwhile: when it looks into a page that
    lies in the page cache, the browser throws the page away."""
    until(lambda: shop.observed.types(visitor).count("page_view") == views, f"expected {views} views of pages")


def away_and_back(page: Page, shop: LiveShop, views: int) -> None:
    """To the page b by a link, and back, when so many pages were seen before."""
    visitor = visitor_of(page)
    page.evaluate("() => { setTimeout(() => document.getElementById('b').click(), 50) }")
    until_seen(shop, visitor, views + 1)
    page.evaluate("() => { setTimeout(() => history.back(), 50) }")
    until_seen(shop, visitor, views + 2)


def test_a_reload_is_another_view_of_the_same_visit(page: Page, shop: LiveShop) -> None:
    shop.visit(page)
    before = search(page)
    page.reload()
    page.wait_for_function("window.baliza && window.baliza.ready")
    after = search(page)
    shop.until_sent(page)
    visitor = visitor_of(page)
    session = counted_once(shop, visitor, told_by(page.context, shop.origin + "/plain"))
    assert shop.observed.terms(visitor) == dict.fromkeys(before + after, 1)
    assert (session["page_views"], session["landing_path"], session["search_term"]) == (2, "/a", after[0])
    assert shop.observed.profile(visitor).sessions == 1  # type: ignore[union-attr]


def test_ten_hasty_reloads_lose_and_double_nothing(page: Page, shop: LiveShop) -> None:
    searched = []
    for _ in range(10):
        shop.visit(page)
        searched += search(page)
    shop.until_sent(page)
    visitor = visitor_of(page)
    session = counted_once(shop, visitor, told_by(page.context, shop.origin + "/plain"))
    assert session["page_views"] == 10
    assert shop.observed.terms(visitor) == dict.fromkeys(searched, 1)


@pytest.mark.parametrize("stay_ms", [500, 1200])
def test_a_page_out_of_the_page_cache_is_seen_again(browser: Browser, shop: LiveShop, stay_ms: int) -> None:
    restored = 0
    for _ in range(10):
        with fresh(browser) as page:
            restored += leave_and_return(page, shop, stay_ms)
        if restored:
            return
    raise AssertionError("the browser never kept the page")


def leave_and_return(page: Page, shop: LiveShop, stay_ms: int) -> bool:
    """One visit with a return, which must be right however the page came back. True when it came out of the page cache."""
    shop.visit(page)
    page.evaluate("window.mark = 'still here'")
    page.wait_for_timeout(stay_ms)
    searched = search(page)
    away_and_back(page, shop, views=1)
    searched += search(page)
    shop.until_sent(page)
    visitor = visitor_of(page)
    mark, shows = page.evaluate("[window.mark, window.shows]")
    session = counted_once(shop, visitor, told_by(page.context, shop.origin + "/plain"))
    views = [event for event in shop.observed.events(visitor) if event.type == "page_view"]
    assert [view.page.title for view in sorted(views, key=lambda view: view.occurred_at) if view.page] == ["a", "b", "a"]
    assert session["page_views"] == 3
    assert shop.observed.terms(visitor) == dict.fromkeys(searched, 1)
    assert shop.observed.types(visitor).count("user_engagement") >= stay_ms // 1000
    return bool(mark == "still here" and shows == [False, True])


def test_three_returns_in_a_row_are_three_views(page: Page, shop: LiveShop) -> None:
    shop.visit(page)
    for returns in range(3):
        away_and_back(page, shop, views=1 + 2 * returns)
        (searched,) = search(page)
        visitor = visitor_of(page)
        until(lambda: shop.observed.terms(visitor)[searched] == 1, searched)  # noqa: B023 - called at once
    shop.until_sent(page)
    assert counted_once(shop, visitor)["page_views"] == 7


def test_a_single_page_shop_tells_of_each_of_its_pages(page: Page, shop: LiveShop) -> None:
    shop.visit(page)
    page.evaluate("history.pushState({}, '', '/p/lamp')")
    page.evaluate(
        "baliza('event', 'view_item', {items: [{item_id: 'LAMP-1', item_name: 'Lamp', price: 39.9}], currency: 'EUR'})"
    )
    page.evaluate("history.pushState({}, '', '/p/bulb?colour=red#top')")
    page.wait_for_timeout(LOOKED)
    page.evaluate("history.replaceState({}, '', '/p/bulb?colour=red#bottom')")
    page.wait_for_timeout(LOOKED)
    page.evaluate("history.back()")
    page.wait_for_function("location.pathname === '/p/lamp'")
    page.evaluate(
        "baliza('event', 'add_to_cart', {items: [{item_id: 'LAMP-1', price: 39.9, quantity: 2}], currency: 'EUR'})"
    )
    shop.until_sent(page)
    visitor = visitor_of(page)
    session = counted_once(shop, visitor, told_by(page.context, shop.origin + "/plain"))
    views = [event for event in shop.observed.events(visitor) if event.type == "page_view"]
    seen = [view.page.url.removeprefix(shop.origin) for view in views if view.page]
    assert seen == ["/a", "/p/lamp", "/p/bulb?colour=red#top", "/p/lamp"]
    assert [view.page.referrer.removeprefix(shop.origin) for view in views if view.page][1:] == [
        "/a", "/p/lamp", "/p/bulb?colour=red#top",
    ]  # fmt: skip
    assert (session["page_views"], session["item_views"], session["cart_adds"]) == (4, 1, 1)
    assert [(line["item_id"], line["quantity"]) for line in session["cart"]["lines"]] == [("LAMP-1", 2)]


def test_a_link_that_is_followed_at_once_keeps_what_was_done_before(context: BrowserContext, shop: LiveShop) -> None:
    page = shop.open(context)
    page.evaluate(
        """() => { document.getElementById('b').onclick = () =>
             baliza('event', 'add_to_cart', {items: [{item_id: 'LAMP-1', price: 39.9}], currency: 'EUR'}) }"""
    )
    page.click("#b")
    page.wait_for_function("document.title === 'b' && window.baliza && window.baliza.ready")
    visitor = visitor_of(page)
    until(lambda: shop.observed.session(visitor).get("cart_adds"), "the cart did not arrive")
    shop.until_sent(page)
    assert counted_once(shop, visitor, told_by(context, shop.origin + "/plain"))["cart"]["pieces"] == 1
