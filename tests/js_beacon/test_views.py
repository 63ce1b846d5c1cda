"""Pages as a visitor lives them: time, depth, addresses, policies, cost."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from loadtests import beaconing
from tests.support.browser import NO_HURRY

pytestmark = [pytest.mark.browser, pytest.mark.network]

Wait = Callable[[Callable[[], bool]], None]
MOST_MS = 30.0
TALL = '<div style="height:2400px">tall</div>'


def test_time_and_depth_are_told_when_the_page_is_left(page: Page, far_end: Any, shop_page: Any, wait_until: Wait) -> None:
    page.set_viewport_size({"width": 800, "height": 600})
    far_end.pages["/next"] = "<!doctype html>"
    page.goto(shop_page("/", body='<body style="margin:0">' + TALL))
    page.wait_for_function("window.baliza && window.baliza.ready")
    page.mouse.wheel(0, 600)
    page.wait_for_timeout(1500)
    page.click("#next", force=True)
    wait_until(lambda: "user_engagement" in far_end.types())
    told = far_end.one("user_engagement")["properties"]
    assert 1300 <= told["engagement_time_msec"] <= 6000
    assert 45 <= told["percent_scrolled"] <= 55


def test_each_page_of_a_single_page_shop_has_its_own_time(
    page: Page, far_end: Any, shop_page: Any, wait_until: Wait
) -> None:
    page.goto(shop_page("/first"))
    page.wait_for_function("window.baliza && window.baliza.ready")
    page.wait_for_timeout(1200)
    page.evaluate("history.pushState({}, '', '/second')")
    wait_until(lambda: far_end.types().count("page_view") == 2)
    told = [(event["type"], event["page"]["url"].removeprefix(far_end.origin)) for event in far_end.events]
    assert told == [("page_view", "/first"), ("user_engagement", "/first"), ("page_view", "/second")]


def test_works_under_a_strict_policy(page: Page, far_end: Any, shop_page: Any, wait_until: Wait) -> None:
    problems: list[str] = []
    page.add_init_script(NO_HURRY)
    page.on("console", lambda message: problems.append(message.text))
    far_end.page_headers = {"Content-Security-Policy": "default-src 'none'; script-src 'nonce-n1'; connect-src 'self'"}
    far_end.offers = {"decision_id": "d", "offers": [{"item_id": "A", "title": "A", "response_code": "R"}]}
    body = '<div data-baliza-offers="home">ours</div>'
    page.goto(shop_page("/", tag='nonce="n1"', body=body).replace("<script></script>", ""))
    wait_until(lambda: far_end.types()[:1] == ["page_view"])
    page.wait_for_selector(".baliza-offer")
    assert [text for text in problems if "b.js" in text or "offers.js" in text] == []


def test_unknown_calls_are_told_to_who_looks_at_the_console(page: Page, shop_page: Any) -> None:
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(shop_page("/"))
    page.wait_for_function("window.baliza && window.baliza.ready")
    page.evaluate("baliza('nothing')")
    page.wait_for_timeout(100)
    assert [text for text in said if "[nothing]" in text] != []


@pytest.mark.alone
def test_three_hundred_faros_cost_little(browser: Browser) -> None:
    rounds: list[list[beaconing.Load]] = []
    server = beaconing.PageServer()
    try:
        # Few rounds do on a quiet machine, and more only get nearer to the truth.
        while len(rounds) < 2 or (len(rounds) < 6 and _ordinary_ms(rounds) >= MOST_MS):
            rounds.append(beaconing.visits_in_turn(browser, server, "/with", "/without", "/yardstick"))
    finally:
        server.stop()
    ours, others, _ = zip(*rounds, strict=True)
    assert 1 < min(load.script_ms for load in ours) < MOST_MS
    assert _ordinary_ms(rounds) < MOST_MS, "all tasks of the main thread, layout and garbage included"
    assert min(load.longest_ms for load in ours) < beaconing.LONG_MS
    assert max(load.script_ms for load in others) == pytest.approx(0, abs=0.5), "what is measured is the beacon alone"


def _ordinary_ms(rounds: list[list[beaconing.Load]]) -> float:
    return beaconing.ordinary_ms(*(list(loads) for loads in zip(*rounds, strict=True)))
