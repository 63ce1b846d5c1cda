"""Servers that fail while a visitor goes on: everything arrives when they are back, and once."""

import time
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext

from tests.support.figures import Figures
from tests.support.live_shop import LiveShop, counted_once, search, until
from tests.support.observed import told_by, visitor_of
from tests.support.outages import OUTAGES, fail_servers

pytestmark = [pytest.mark.browser, pytest.mark.network]


@pytest.mark.parametrize("outage", list(OUTAGES))
def test_a_visit_through_an_outage_is_whole(context: BrowserContext, crashing: LiveShop, outage: str) -> None:
    first = crashing.open(context)
    crashing.until_sent(first)
    searched = search(first)
    with OUTAGES[outage](crashing):
        searched += search(first)
        second = crashing.open(context, "/b")
        searched += search(second)
        second.close()
        third = crashing.open(context, "/b")
        searched += search(third)
        time.sleep(1)
    crashing.until_well()
    # Nothing but time is needed: the tabs that are open try again by themselves.
    visitor = visitor_of(first)
    until(lambda: set(crashing.observed.terms(visitor)) == set(searched), "not all came back", within_s=60)
    crashing.until_sent(first)
    session = counted_once(crashing, visitor, told_by(context, crashing.origin + "/plain"))
    assert session["page_views"] == 3
    assert crashing.observed.terms(visitor) == dict.fromkeys(searched, 1)


def test_an_answer_that_is_lost_over_and_over_counts_once(context: BrowserContext, crashing: LiveShop) -> None:
    with OUTAGES["answers lost"](crashing):
        page = crashing.open(context)
        searched = search(page)
        until(lambda: max(crashing.front.times_at_the_wire().values(), default=0) >= 3, "not sent again", within_s=30)
        visitor = visitor_of(page)
        assert counted_once(crashing, visitor)["events"] == 2
    crashing.until_sent(page)
    assert counted_once(crashing, visitor, told_by(context, crashing.origin + "/plain"))["search_term"] == searched[0]
    assert "duplicate" in crashing.front.arrivals[-1].answer["x-baliza-dropped"]


def test_an_order_whose_answer_is_lost_is_one_order(context: BrowserContext, crashing: LiveShop) -> None:
    page = crashing.open(context)
    with OUTAGES["answers lost"](crashing):
        page.evaluate(
            """baliza('event', 'purchase', {transaction_id: 'T-1', value: 79.8, currency: 'EUR',
                 items: [{item_id: 'LAMP-1', price: 39.9, quantity: 2}]})"""
        )
        until(lambda: max(crashing.front.times_at_the_wire().values(), default=0) >= 2, "not sent again", within_s=30)
        page.close()
    following = crashing.open(context, "/b")
    crashing.until_sent(following)
    session = counted_once(crashing, visitor_of(following), told_by(context, crashing.origin + "/plain"))
    assert [order["order_id"] for order in session["bought"]] == ["T-1"]
    assert session["revenue"] == {"EUR": "79.80"}


@pytest.mark.parametrize("down_s", [4, pytest.param(60, marks=pytest.mark.long)])
def test_comes_back_by_itself(
    context: BrowserContext, crashing: LiveShop, down_s: int, tell: Callable[[Figures], None]
) -> None:
    """Down for a minute: collector and live store at once; the visitor goes on over pages and tabs."""
    figures, searched = Figures(f"down for {down_s} s"), set[str]()
    began = time.monotonic()
    page = crashing.open(context)
    searched.update(search(page))
    with OUTAGES["collector killed"](crashing), OUTAGES["live store killed"](crashing):
        while time.monotonic() < began + down_s:
            other = crashing.open(context, "/b")
            searched.update(search(page) + search(other))
            time.sleep(0.5)
            other.close()
            figures.ways["pages during the outage"] += 1
    crashing.until_well()
    visitor = visitor_of(page)
    until(lambda: set(crashing.observed.terms(visitor)) == searched, "not all came back", within_s=90)
    figures.settle(crashing, context, searched)
    figures.seconds = time.monotonic() - began
    tell(figures)
    assert (figures.lost, figures.double) == (0, 0), str(figures)
    assert counted_once(crashing, visitor)["page_views"] == figures.ways.total() + 2


@pytest.mark.timeout(3000)
@pytest.mark.parametrize("repetitions", [7, pytest.param(210, marks=pytest.mark.long)])
def test_failing_servers_lose_nothing_and_double_nothing(
    context: BrowserContext, crashing: LiveShop, repetitions: int, tell: Callable[[Figures], None]
) -> None:
    figures = fail_servers(crashing, context, repetitions)
    tell(figures)
    assert (figures.lost, figures.double) == (0, 0), str(figures)
    assert figures.recorded >= 6 * repetitions
