"""A tab that is closed in the middle of a batch: what it observed is there after the visitor's next page, and once."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext

from tests.js_beacon.live.conftest import ARGUMENTS
from tests.support import closing_tabs
from tests.support.closing_tabs import WAYS, close_tabs
from tests.support.figures import Figures
from tests.support.live_shop import LiveShop, counted_once, search, until
from tests.support.observed import TRUTH, told_by, visitor_of

pytestmark = [pytest.mark.browser, pytest.mark.network]


@pytest.mark.parametrize("way", ["closed in order", "gone elsewhere", "followed a link"])
def test_what_waits_leaves_with_the_page(context: BrowserContext, shop: LiveShop, way: str) -> None:
    left = []
    for _ in range(3):  # no browser promises it, and a busy one may end the page first: then the next page brings it
        page = shop.open(context)
        shop.until_sent(page)
        visitor = visitor_of(page)
        (searched,) = search(page)
        WAYS[way](page)
        if left := gone_within(shop, visitor, searched, 10.0):
            break
    assert left == [searched], "the event did not leave"
    assert counted_once(shop, visitor)["search_term"] == searched


def gone_within(shop: LiveShop, visitor: str, searched: str, seconds: float) -> list[str]:
    """The event, when it has arrived though no other page came to send it."""
    with suppress(AssertionError):
        until(lambda: shop.observed.terms(visitor).get(searched) == 1, within_s=seconds)
        return [searched]
    return []


@pytest.mark.parametrize("way", list(WAYS))
def test_the_next_page_brings_what_the_last_one_could_not(context: BrowserContext, shop: LiveShop, way: str) -> None:
    page = shop.open(context)
    searched = search(page)
    WAYS[way](page)
    following = shop.open(context, "/b")
    shop.until_sent(following)
    visitor = visitor_of(following)
    counted_once(shop, visitor, told_by(context, shop.origin + "/plain"))
    assert shop.observed.terms(visitor) == dict.fromkeys(searched, 1)


def test_a_tab_that_closes_while_its_request_is_under_way(context: BrowserContext, shop: LiveShop) -> None:
    is_under_way = slow_first_answer(shop)
    page = shop.open(context)
    searched = search(page)
    until(is_under_way, "no request")
    searched += search(page)
    page.close()
    following = shop.open(context, "/b")
    shop.until_sent(following)
    visitor = visitor_of(following)
    counted_once(shop, visitor, told_by(context, shop.origin + "/plain"))
    assert shop.observed.terms(visitor) == dict.fromkeys(searched, 1)


def slow_first_answer(shop: LiveShop) -> Callable[[], bool]:
    """Let the front hold each request for half a second; answers whether one has come."""
    shop.front.fate = lambda arrival: closing_tabs.after(0.5)
    return lambda: bool(shop.front.arrivals)


def test_a_browser_that_closes_and_opens_again(browser: Browser, chromium_path: str, shop: LiveShop, tmp_path: Path) -> None:
    searched: list[str] = []
    for _ in range(2):
        context = browser.browser_type.launch_persistent_context(
            tmp_path / "profile", executable_path=chromium_path, args=ARGUMENTS
        )
        context.add_init_script(TRUTH)
        page = shop.open(context)
        searched += search(page)
        context.close()
    context = browser.browser_type.launch_persistent_context(
        tmp_path / "profile", executable_path=chromium_path, args=ARGUMENTS
    )
    page = shop.open(context)
    shop.until_sent(page)
    visitor = visitor_of(page)
    session = counted_once(shop, visitor, told_by(context, shop.origin + "/plain") | set(shop.observed.ids(visitor)))
    context.close()
    assert session["page_views"] == 3
    assert shop.observed.terms(visitor) == dict.fromkeys(searched, 1)


@pytest.mark.parametrize("repetitions", [10, pytest.param(250, marks=pytest.mark.long)])
def test_closing_tabs_lose_nothing_and_double_nothing(
    context: BrowserContext, shop: LiveShop, repetitions: int, tell: Callable[[Figures], None]
) -> None:
    figures = close_tabs(shop, context, repetitions)
    tell(figures)
    assert (figures.lost, figures.double) == (0, 0), str(figures)
    assert figures.recorded >= 2 * repetitions
