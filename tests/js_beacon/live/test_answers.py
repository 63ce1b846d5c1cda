"""What the collector answers, and what the beacon makes of it: to try again later, or to give up."""

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.support.front import PASS, Fate
from tests.support.live_shop import LiveShop, counted_once, search, until
from tests.support.observed import WAITING, told_by, visitor_of

pytestmark = [pytest.mark.browser, pytest.mark.network]

# Twenty items of 1,900 characters are more than the 32 KB of an event.
HUGE = (
    "baliza('event', 'view_item', {items: Array.from({length: 20}, (_, n) => ({item_id: 'I' + n, url: 'u'.repeat(1900)}))})"
)
MEANINGLESS = "baliza('event', 'view_item', {})"


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_waited_for(page: Page, shop: LiveShop, status: int) -> None:
    busy: list[Fate] = [(status, {"Retry-After": "3"})]
    shop.front.fate = lambda _arrival: busy.pop() if busy else PASS
    shop.visit(page)
    searched = search(page)
    until(lambda: len(shop.front.arrivals) == 2, "not sent again")
    shop.until_sent(page)
    first, second = shop.front.arrivals[:2]
    assert (first.status, second.status) == (status, 202)
    assert 3 <= second.at - first.at < 8
    assert set(first.ids) <= set(second.ids)
    visitor = visitor_of(page)
    assert counted_once(shop, visitor, told_by(page.context, shop.origin + "/plain"))["search_term"] == searched[0]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_is_sent_again_until_it_is_taken(page: Page, shop: LiveShop, status: int) -> None:
    busy: list[Fate] = [(status, {})] * 2
    shop.front.fate = lambda _arrival: busy.pop() if busy else PASS
    shop.visit(page)
    searched = search(page)
    shop.until_sent(page)
    first, second, third = shop.front.arrivals[:3]
    assert [first.status, second.status, third.status] == [status, status, 202]
    # Half a second to a second; one to two.
    assert second.at - first.at >= 0.45
    assert third.at - second.at >= 0.95
    visitor = visitor_of(page)
    counted_once(shop, visitor, told_by(page.context, shop.origin + "/plain"))
    assert shop.observed.terms(visitor) == dict.fromkeys(searched, 1)


def test_a_key_that_nobody_has_is_given_up(page: Page, shop: LiveShop) -> None:
    shop.page("/nobody", key="pk_nobody")
    shop.visit(page, "/nobody")
    search(page)
    assert_given_up(page, shop, 401)


def test_a_key_that_nobody_has_is_given_up_on_another_origin(page: Page, shop: LiveShop) -> None:
    shop.page("/nobody", key="pk_nobody", script=shop.origin + "/b.js")
    shop.visit(page, "/nobody", shop.at("stranger.test"))
    search(page)
    assert_given_up(page, shop, 401)


@pytest.mark.parametrize(("said", "status"), [(HUGE, 413), (MEANINGLESS, 400)])
def test_what_the_collector_can_never_take_is_given_up(page: Page, shop: LiveShop, said: str, status: int) -> None:
    shop.visit(page)
    shop.until_sent(page)
    shop.front.forget()
    page.evaluate(said)
    assert_given_up(page, shop, status)
    searched = search(page)
    shop.until_sent(page)
    visitor = visitor_of(page)
    session = counted_once(shop, visitor)
    assert (session["events"], session["search_term"]) == (2, searched[0])


def test_the_good_beside_the_bad_is_taken(page: Page, shop: LiveShop) -> None:
    shop.visit(page)
    shop.until_sent(page)
    shop.front.forget()
    page.evaluate(MEANINGLESS)
    searched = search(page)
    shop.until_sent(page)
    assert [arrival.status for arrival in shop.front.arrivals] == [200]
    visitor = visitor_of(page)
    assert counted_once(shop, visitor)["search_term"] == searched[0]


def test_a_bad_key_does_not_hold_up_the_good_one(context: BrowserContext, shop: LiveShop) -> None:
    """A shop that mends its tag: what waited under the wrong key goes its way, and the rest is taken."""
    shop.page("/nobody", key="pk_nobody")
    shop.front.fate = lambda _arrival: (503, {})
    page = shop.open(context, "/nobody")
    search(page)
    shop.front.forget()
    shop.visit(page)
    searched = search(page)
    shop.until_sent(page)
    visitor = visitor_of(page)
    assert shop.observed.terms(visitor) == dict.fromkeys(searched, 1)
    assert counted_once(shop, visitor)["page_views"] == 1


def assert_given_up(page: Page, shop: LiveShop, status: int) -> None:
    until(lambda: shop.front.arrivals and not page.evaluate(WAITING), "not given up")
    page.wait_for_timeout(2500)
    assert {arrival.status for arrival in shop.front.arrivals} == {status}
    assert set(shop.front.times_at_the_wire().values()) == {1}
