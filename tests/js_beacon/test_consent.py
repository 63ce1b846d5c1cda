"""Consent: what is stored and sent before, with and without it."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.network]

Wait = Callable[[Callable[[], bool]], None]
REQUIRED = 'data-consent="required"'
STUB = "window.baliza=window.baliza||function(){(baliza.q=baliza.q||[]).push(arguments)};"


def test_before_consent_nothing_is_stored_or_sent(page: Page, far_end: Any, shop_page: Any) -> None:
    page.goto(shop_page("/", tag=REQUIRED))
    page.wait_for_function("window.baliza && window.baliza.ready")
    page.evaluate("baliza('event', 'search', {search_term: 'lamp'}); baliza('identify', 'c-1'); baliza('offers', 'home')")
    page.wait_for_timeout(600)
    assert far_end.bodies == []
    assert far_end.asked == [{"key": "pk_test", "placement": "home"}], "contextual offers need nobody's consent"
    assert page.evaluate("[Object.keys(localStorage), document.cookie]") == [[], ""]
    page.reload()
    page.wait_for_timeout(600)
    assert far_end.bodies == []


def test_consent_given_late_sends_what_waited(page: Page, far_end: Any, shop_page: Any, wait_until: Wait) -> None:
    page.goto(shop_page("/", tag=REQUIRED))
    page.wait_for_function("window.baliza && window.baliza.ready")
    page.evaluate("baliza('event', 'search', {search_term: 'lamp'}); baliza('consent', 'granted')")
    wait_until(lambda: far_end.types() == ["page_view", "search"])
    assert {event["consent"] for event in far_end.events} == {"granted"}
    assert set(page.evaluate("document.cookie").split("; ")) == {"bz_g=granted", "bz_v=" + far_end.bodies[0]["visitor"]}
    page.reload()
    wait_until(lambda: far_end.types().count("page_view") == 2)
    assert len({body["visitor"] for body in far_end.bodies}) == 1


def test_denying_forgets_everything(page: Page, far_end: Any, shop_page: Any, wait_until: Wait) -> None:
    page.goto(shop_page("/"))
    wait_until(lambda: far_end.types() == ["page_view"])
    page.evaluate("baliza('identify', 'c-1'); baliza('consent', 'denied'); baliza('event', 'search', {search_term: 'x'})")
    page.wait_for_timeout(500)
    assert page.evaluate("[{...localStorage}, document.cookie]") == [{}, "bz_g=denied"]
    page.reload()
    page.wait_for_timeout(500)
    assert far_end.types() == ["page_view"]


def test_a_denial_in_the_stub_comes_before_the_page_view(page: Page, far_end: Any, shop_page: Any) -> None:
    page.goto(shop_page("/", before=STUB + "baliza('event', 'search', {search_term: 'x'}); baliza('consent', 'denied')"))
    page.wait_for_timeout(700)
    assert far_end.bodies == []
    assert page.evaluate("[Object.keys(localStorage), document.cookie]") == [[], "bz_g=denied"]


def test_a_denial_in_one_tab_is_heeded_in_the_other(page: Page, far_end: Any, shop_page: Any, wait_until: Wait) -> None:
    page.goto(shop_page("/"))
    other = page.context.new_page()
    other.goto(far_end.origin + "/")
    wait_until(lambda: far_end.types() == ["page_view"] * 2)
    other.evaluate("baliza('consent', 'denied')")
    page.evaluate("baliza('event', 'search', {search_term: 'x'})")
    page.wait_for_timeout(500)
    assert far_end.types() == ["page_view"] * 2
    assert page.evaluate("[{...localStorage}, document.cookie]") == [{}, "bz_g=denied"]


def test_a_cookie_says_who_it_is_where_storage_was_cleared(
    page: Page, far_end: Any, shop_page: Any, wait_until: Wait
) -> None:
    page.goto(shop_page("/"))
    wait_until(lambda: len(far_end.bodies) == 1)
    page.evaluate("localStorage.clear()")
    page.reload()
    wait_until(lambda: len(far_end.bodies) == 2)
    assert len({body["visitor"] for body in far_end.bodies}) == 1


def test_log_out_makes_another_visitor(page: Page, far_end: Any, shop_page: Any, wait_until: Wait) -> None:
    page.goto(shop_page("/"))
    page.wait_for_function("window.baliza && window.baliza.ready")
    page.evaluate(
        "baliza('identify', 'c-1', {plan: 'gold'}); baliza('logout'); baliza('event', 'search', {search_term: 'x'})"
    )
    wait_until(lambda: "search" in far_end.types())
    visitors = {event["type"]: body["visitor"] for body in far_end.bodies for event in body["events"]}
    assert visitors["page_view"] == visitors["login"] != visitors["search"]
    assert far_end.one("login")["properties"] == {"plan": "gold"}
    assert "customer_id" not in far_end.one("search")


FULL = """() => { let size = 1 << 20;
  for (let n = 0; size > 0; n++) { try { localStorage['x' + n] = 'x'.repeat(size) } catch (full) { size >>= 1 } } }"""


@pytest.mark.parametrize("fill", ["", FULL])
@pytest.mark.parametrize("clear", ["", "localStorage.clear()"])
def test_a_no_stays_a_no_whatever_becomes_of_the_storage(
    page: Page, far_end: Any, shop_page: Any, wait_until: Wait, fill: str, clear: str
) -> None:
    page.goto(shop_page("/"))
    wait_until(lambda: far_end.types() == ["page_view"])
    page.evaluate(fill or "0")
    page.evaluate("baliza('event', 'search', {search_term: 'x'})")
    wait_until(lambda: far_end.types() == ["page_view", "search"])
    page.evaluate("baliza('consent', 'denied')")
    page.evaluate(clear or "0")
    page.evaluate("baliza('event', 'search', {search_term: 'y'})")
    page.reload()
    page.wait_for_timeout(600)
    assert far_end.types() == ["page_view", "search"]
    assert page.evaluate("document.cookie") == "bz_g=denied"


def test_what_is_said_after_a_no_is_not_for_a_later_yes(page: Page, far_end: Any, shop_page: Any, wait_until: Wait) -> None:
    page.goto(shop_page("/", tag=REQUIRED))
    page.wait_for_function("window.baliza && window.baliza.ready")
    page.evaluate("baliza('consent', 'denied'); baliza('event', 'search', {search_term: 'private'})")
    page.evaluate("baliza('consent', 'granted'); baliza('event', 'search', {search_term: 'public'})")
    wait_until(lambda: "search" in far_end.types())
    assert far_end.one("search")["search_term"] == "public"


def test_a_page_that_asks_for_trusted_types_hears_of_nothing(page: Page, far_end: Any, shop_page: Any) -> None:
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    policy = "<meta http-equiv=Content-Security-Policy content=\"require-trusted-types-for 'script'\">"
    page.goto(
        shop_page("/", body=policy + '<script type="application/ld+json">{}</script><i data-baliza-offers="home"></i>')
    )
    page.wait_for_timeout(1500)
    assert errors == []
