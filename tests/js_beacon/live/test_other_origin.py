"""The shop's page on one origin, the collector on another."""

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.support.live_shop import LiveShop, counted_once, search, until
from tests.support.observed import WAITING, visitor_of

pytestmark = [pytest.mark.browser, pytest.mark.network]

# The page's host, and the host of the beacon: another site; another port; a host of the shop's own domain; a stranger.
HOSTS = [
    ("localhost", "127.0.0.1"),
    ("127.0.0.1", "collector"),
    ("www.shop.test", "track.shop.test"),
    ("shop.test", "127.0.0.1"),
]


def script_at(shop: LiveShop, host: str) -> str:
    """The beacon's address; `collector` is the collector's own port, with nothing before it."""
    return shop.collector.url if host == "collector" else shop.at(host)


@pytest.mark.parametrize(("page_host", "script_host"), HOSTS)
def test_events_and_offers_cross_origins(page: Page, shop: LiveShop, page_host: str, script_host: str) -> None:
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text))
    shop.page("/cross", script=script_at(shop, script_host) + "/b.js")
    shop.visit(page, "/cross", shop.at(page_host))
    searched = search(page)
    shop.until_sent(page)
    visitor = visitor_of(page)
    session = counted_once(shop, visitor)
    assert (session["page_views"], session["search_term"]) == (1, searched[0])
    assert session["landing_page"] == shop.at(page_host) + "/cross"
    decision = page.evaluate("baliza('offers', 'home', {limit: 2})")
    assert decision["decision_id"]
    assert [offer["rank"] for offer in decision["offers"]] == [1, 2]
    assert problems == []


def test_a_shop_on_another_host_needs_no_preflight_and_sends_no_cookie(context: BrowserContext, shop: LiveShop) -> None:
    cookie = {"name": "bz_v", "value": "somebody-else", "domain": "track.shop.test", "path": "/", "httpOnly": True}
    context.add_cookies([cookie])  # type: ignore[list-item]
    shop.page("/cross", script=shop.at("track.shop.test") + "/b.js")
    page = shop.open(context, "/cross", shop.at("www.shop.test"))
    shop.until_sent(page)
    arrival = shop.front.arrivals[0]
    assert "cookie" not in arrival.headers
    assert arrival.body["visitor"] == visitor_of(page)
    assert arrival.answer["access-control-allow-origin"] == shop.at("www.shop.test")
    assert arrival.answer["access-control-allow-credentials"] == "true"
    assert [call for call in shop.front.others if call.startswith("OPTIONS")] == []


def test_a_tab_of_another_origin_that_closes_in_the_middle(context: BrowserContext, shop: LiveShop) -> None:
    shop.page("/cross", script=shop.collector.url + "/b.js")
    page = shop.open(context, "/cross", shop.at("localhost"))
    shop.until_sent(page)
    visitor = visitor_of(page)
    (searched,) = search(page)
    with page.expect_event("close"):
        page.close(run_before_unload=True)
    until(lambda: shop.observed.terms(visitor) == {searched: 1}, "the event did not leave")


@pytest.mark.parametrize("script_host", ["stranger.test", "127.0.0.1"])
def test_an_origin_that_is_not_allowed_gives_up(page: Page, shop: LiveShop, script_host: str) -> None:
    known = shop.observed.visitors()
    shop.page("/cross", script=shop.at(script_host) + "/b.js")
    shop.visit(page, "/cross", shop.at("stranger.test"))
    search(page)
    until(lambda: shop.front.arrivals and not page.evaluate(WAITING), "not given up")
    page.wait_for_timeout(2500)
    assert {arrival.status for arrival in shop.front.arrivals} == {403}
    assert set(shop.front.times_at_the_wire().values()) == {1}
    assert shop.observed.visitors() == known
    assert page.evaluate("baliza('offers', 'home')")["offers"] == [] or script_host == "stranger.test"


def test_an_outage_seen_from_another_origin(context: BrowserContext, crashing: LiveShop) -> None:
    crashing.page("/cross", script=crashing.collector.url + "/b.js")
    page = crashing.open(context, "/cross", crashing.at("localhost"))
    crashing.until_sent(page)
    crashing.collector.crash()
    searched = search(page)
    page.wait_for_timeout(1500)
    assert len(page.evaluate(WAITING)) == 1
    crashing.collector.start_again()
    crashing.until_sent(page, within_s=60)
    visitor = visitor_of(page)
    assert crashing.observed.terms(visitor) == dict.fromkeys(searched, 1)
    # The live store away: the collector says so, and the page may read it.
    crashing.collector.valkey.kill()
    searched += search(page)
    page.wait_for_timeout(1500)
    crashing.collector.valkey.start()
    crashing.until_sent(page, within_s=60)
    assert crashing.observed.terms(visitor) == dict.fromkeys(searched, 1)
    assert counted_once(crashing, visitor)["page_views"] == 1
