"""The offers widget and the call behind it, in a real browser."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.support.browser import NO_HURRY

pytestmark = [pytest.mark.browser, pytest.mark.network]

Wait = Callable[[Callable[[], bool]], None]
STRIP = '<div data-baliza-offers="home-hero" data-baliza-limit="2" data-baliza-item="LAMP-1"><b>our own</b>{}</div>'
TEMPLATE = '<template><article><a data-b="url"><i data-b="title"></i> <u data-b="price"></u></a></article></template>'


@pytest.fixture(autouse=True)
def _no_hurry(request: pytest.FixtureRequest, page: Page) -> None:
    if "late_s" not in request.fixturenames:
        page.add_init_script(NO_HURRY)


def offer(item_id: str, code: str = "RC-1", **more: Any) -> dict[str, Any]:
    return {
        "rank": 1, "item_id": item_id, "title": f"The {item_id}", "url": f"https://shop.example/{item_id}", "image": None,
        "price": 9.9, "currency": "EUR", "reason_text": "Because", "response_code": code,
    } | more  # fmt: skip


def decided(*offers: dict[str, Any]) -> dict[str, Any]:
    return {"decision_id": "d-1", "placement": "home-hero", "offers": list(offers), "fallback": None}


def told(far_end: Any, kind: str) -> list[tuple[str, list[str]]]:
    return [
        (event["response_code"], [item["item_id"] for item in event["items"]])
        for event in far_end.events
        if event["type"] == kind
    ]


def test_fills_itself_and_tells_what_was_seen_and_clicked(
    page: Page, far_end: Any, shop_page: Any, wait_until: Wait
) -> None:
    far_end.offers = decided(offer("A"), offer("B", "RC-2"), offer("C"))
    page.goto(shop_page("/", body=f'<html lang="en">{STRIP.format("")}'))
    page.wait_for_selector(".baliza-offer")
    cards = page.locator(".baliza-offer")
    assert [cards.nth(place).locator("span").all_inner_texts() for place in range(cards.count())] == [
        ["The A", "€9.90", "Because"],
        ["The B", "€9.90", "Because"],
    ]
    wait_until(lambda: len(told(far_end, "offer_shown")) == 2)
    assert sorted(told(far_end, "offer_shown")) == [("RC-1", ["A"]), ("RC-2", ["B"])]
    assert {event["decision_id"] for event in far_end.events if event["type"] == "offer_shown"} == {"d-1"}
    page.evaluate("document.querySelector('.baliza-offer').addEventListener('click', event => event.preventDefault())")
    page.click(".baliza-offer >> nth=0")
    wait_until(lambda: told(far_end, "offer_clicked") == [("RC-1", ["A"])])
    visitor = page.evaluate("localStorage.bz_v")
    assert far_end.asked == [
        {"key": "pk_test", "placement": "home-hero", "limit": "2", "item_id": "LAMP-1", "visitor": visitor}
    ]


def test_offers_of_one_code_are_told_together(page: Page, far_end: Any, shop_page: Any, wait_until: Wait) -> None:
    far_end.offers = decided(offer("A"), offer("B"))
    page.goto(shop_page("/", body=STRIP.format(TEMPLATE)))
    wait_until(lambda: "offer_shown" in far_end.types())
    assert told(far_end, "offer_shown") == [("RC-1", ["A", "B"])]
    assert page.locator("article a").first.get_attribute("href") == "https://shop.example/A"
    assert page.locator("article i").all_inner_texts() == ["The A", "The B"]


def test_an_offer_below_the_fold_was_not_shown(page: Page, far_end: Any, shop_page: Any) -> None:
    far_end.offers = decided(offer("A"))
    page.goto(shop_page("/", body='<div style="height:3000px"></div>' + STRIP.format("")))
    page.wait_for_selector(".baliza-offer")
    page.wait_for_timeout(1500)
    assert "offer_shown" not in far_end.types()


@pytest.mark.parametrize("late_s", [0.0, 0.6], ids=["nothing to say", "too late"])
def test_the_shops_own_content_stays(page: Page, far_end: Any, shop_page: Any, late_s: float) -> None:
    far_end.offers_after_s = late_s
    far_end.offers = decided(offer("A")) if late_s else decided()
    page.goto(shop_page("/", body=STRIP.format(TEMPLATE)))
    page.wait_for_timeout(1500)
    assert far_end.asked != []
    assert page.locator("[data-baliza-offers]").inner_text() == "our own"
    assert "offer_shown" not in far_end.types()


def test_addresses_that_are_scripts_become_no_links(page: Page, far_end: Any, shop_page: Any) -> None:
    far_end.offers = decided(offer("A", url="javascript:alert(1)", title="<img src=x onerror=alert(1)>", image="data:x"))
    page.goto(shop_page("/", body=STRIP.format("")))
    page.wait_for_selector(".baliza-offer")
    assert page.locator(".baliza-offer").get_attribute("href") == "#"
    assert page.locator(".baliza-title").inner_text() == "<img src=x onerror=alert(1)>"
    assert page.locator("img").count() == 0


def test_a_placement_that_comes_later_is_filled(page: Page, far_end: Any, shop_page: Any) -> None:
    far_end.offers = decided(offer("A"))
    page.goto(shop_page("/"))
    page.wait_for_function("window.baliza && window.baliza.ready")
    page.evaluate(f"document.body.insertAdjacentHTML('beforeend', `{STRIP.format('')}`)")
    page.wait_for_selector(".baliza-offer")


def test_an_element_that_is_used_again_is_filled_again(page: Page, far_end: Any, shop_page: Any, wait_until: Wait) -> None:
    far_end.offers = decided(offer("A"))
    page.goto(shop_page("/", body=STRIP.format(TEMPLATE)))
    page.wait_for_selector("article")
    far_end.offers = decided(offer("B"))
    page.evaluate("document.querySelector('[data-baliza-offers]').dataset.balizaItem = 'B-1'")
    page.wait_for_function("document.querySelector('article i').textContent === 'The B'")
    assert page.locator("article").count() == 1
    far_end.offers = decided()
    page.evaluate("document.querySelector('[data-baliza-offers]').dataset.balizaItem = 'C-1'")
    page.wait_for_selector("text=our own")
    assert [asked["item_id"] for asked in far_end.asked] == ["LAMP-1", "B-1", "C-1"]


def test_the_widget_is_loaded_only_where_there_is_a_placement(page: Page, shop_page: Any) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.rpartition("/")[2]))
    page.goto(shop_page("/"))
    page.wait_for_timeout(1000)
    assert not {"offers.js", "guess.js"} & set(asked)


def test_the_call_answers_the_decision_even_from_the_stub(page: Page, far_end: Any, shop_page: Any) -> None:
    far_end.offers = decided(offer("A"))
    stub = (
        "window.baliza=window.baliza||function(){var a=arguments;"
        "return new Promise(function(r){a.r=r;(baliza.q=baliza.q||[]).push(a)})};"
        "baliza('offers','home-hero',{limit:3}).then(function(d){window.early=d});"
    )
    page.goto(shop_page("/", before=stub))
    page.wait_for_function("window.early")
    assert page.evaluate("early.offers[0].item_id") == "A"
    assert page.evaluate("baliza('offers', 'home-hero').then(decision => decision.decision_id)") == "d-1"


def test_the_call_answers_no_offers_when_it_cannot_have_them(page: Page, shop_page: Any) -> None:
    page.route("**/v1/offers*", lambda route: route.fulfill(status=500, body="<html>"))
    page.goto(shop_page("/"))
    page.wait_for_function("window.baliza && window.baliza.ready")
    assert page.evaluate("baliza('offers', 'home-hero')") == {"offers": []}
