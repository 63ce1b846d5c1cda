"""Two tabs share one queue: everything arrives, nothing counts twice, and next to nothing is sent twice."""

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext

from tests.support.browser import STRETCHED
from tests.support.closing_tabs import after
from tests.support.figures import Figures
from tests.support.front import CUT, PASS
from tests.support.live_shop import LiveShop, counted_once, search, until
from tests.support.observed import WAITING, told_by, visitor_of
from tests.support.two_tabs import observe_in_two_tabs

pytestmark = [pytest.mark.browser, pytest.mark.network]


@pytest.mark.alone  # a request that is waited for too long is sent again; then it is at the wire twice, and counts once
@pytest.mark.parametrize("rounds", [20, pytest.param(300, marks=pytest.mark.long)])
def test_two_tabs_send_nothing_twice(
    context: BrowserContext, shop: LiveShop, rounds: int, tell: Callable[[Figures], None]
) -> None:
    shop.front.fate = lambda _arrival: after(0.03)
    figures = observe_in_two_tabs(shop, context, rounds)
    tell(figures)
    assert (figures.lost, figures.double) == (0, 0), str(figures)
    assert figures.twice_at_the_wire == 0, str(figures)


def test_two_tabs_without_locks_count_nothing_twice(
    context: BrowserContext, shop: LiveShop, tell: Callable[[Figures], None]
) -> None:
    shop.front.fate = lambda _arrival: after(0.03)
    figures = observe_in_two_tabs(shop, context, 20, origin=shop.at("shop.test"))
    figures.name += " on plain http"
    tell(figures)
    assert (figures.lost, figures.double) == (0, 0), str(figures)


def test_both_tabs_are_one_visitor_in_one_session(context: BrowserContext, shop: LiveShop) -> None:
    tabs = [shop.open(context, "/a"), shop.open(context, "/b")]
    assert visitor_of(tabs[0]) == visitor_of(tabs[1])
    searched = [search(tab)[0] for tab in tabs * 3]
    for tab in tabs:
        shop.until_sent(tab)
    visitor = visitor_of(tabs[0])
    session = counted_once(shop, visitor, told_by(context, shop.origin + "/plain"))
    assert (session["page_views"], session["events"]) == (2, 2 + len(searched))


def test_a_tab_sends_what_a_tab_that_crashed_has_left(context: BrowserContext, shop: LiveShop) -> None:
    other = shop.open(context, "/b")
    shop.until_sent(other)
    shop.front.fate = lambda _arrival: CUT  # or a busy machine closes the tab after it has sent
    crashed = shop.open(context)
    searched = search(crashed)
    crashed.close()
    assert other.evaluate(WAITING) != []
    shop.front.fate = lambda _arrival: PASS
    searched += search(other)
    shop.until_sent(other)
    visitor = visitor_of(other)
    counted_once(shop, visitor, told_by(context, shop.origin + "/plain"))
    assert shop.observed.terms(visitor) == dict.fromkeys(searched, 1)


def test_a_tab_that_waits_for_a_slow_answer_does_not_make_the_other_send_the_same(
    context: BrowserContext, shop: LiveShop
) -> None:
    # News of what another tab has removed comes within 50 ms, but not on a busy machine.
    context.add_init_script(STRETCHED.format(ms=50, longer=1000))
    shop.front.fate = lambda _arrival: after(1)
    first = shop.open(context)
    until(lambda: shop.front.arrivals, "no request")
    second = shop.open(context, "/b")
    searched = search(first) + search(second)
    shop.until_sent(second)
    visitor = visitor_of(second)
    assert shop.observed.terms(visitor) == dict.fromkeys(searched, 1)
    assert shop.front.twice_at_the_wire() == 0


def test_a_hidden_tab_sends_its_own_while_another_one_sends(context: BrowserContext, shop: LiveShop) -> None:
    shop.front.fate = lambda _arrival: after(0.3)
    first, second = shop.open(context), shop.open(context, "/b")
    searched = search(first) + search(second)
    first.evaluate(
        """() => {
          Object.defineProperty(document, 'hidden', {get: () => true})
          document.dispatchEvent(new Event('visibilitychange', {bubbles: true}))
        }"""
    )
    shop.until_sent(second)
    visitor = visitor_of(second)
    counted_once(shop, visitor, told_by(context, shop.origin + "/plain"))
    assert shop.observed.terms(visitor) == dict.fromkeys(searched, 1)
