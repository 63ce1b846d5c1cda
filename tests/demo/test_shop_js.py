"""The shop in a real browser, with the real beacon: what a visitor does → what arrives."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from playwright.sync_api import Page

from demo.shop import customer_id_of
from schema.events import Batch

pytestmark = [pytest.mark.browser, pytest.mark.network]

Wait = Callable[[Callable[[], bool]], None]


def offers_of(url: str) -> dict[str, Any]:
    return {
        "decision_id": "d-1",
        "placement": "home-hero",
        "offers": [
            {
                "rank": rank,
                "item_id": item_id,
                "title": title,
                "url": f"{url}/shop/p/{item_id}",
                "image": f"{url}/shop/pictures/{item_id}.svg",
                "price": price,
                "currency": "EUR",
                "reason_text": "Goes with your lamp",
                "response_code": "RC-1",
            }
            for rank, (item_id, title, price) in enumerate([("BULB-1", "Bulbs", 9.9), ("PEN-1", "Pen", "48.00")], 1)
        ],
    }


def test_a_visit_from_the_window_to_the_order(page: Page, baliza: Any, wait_until: Wait) -> None:
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(f"{baliza.url}/shop/")
    wait_until(lambda: "view_item_list" in baliza.types())
    page.click("a[data-select=LAMP-1]")
    page.fill("input[name=quantity]", "2")
    page.click("text=Add to cart")
    page.click("main >> text=Check out")
    page.click("button:has-text('Order for')")
    wait_until(lambda: "purchase" in baliza.types())
    assert [kind for kind in baliza.types() if kind != "page_view"] == [
        "view_item_list",
        "select_item",
        "view_item",
        "add_to_cart",
        "view_cart",
        "begin_checkout",
        "purchase",
    ]
    assert baliza.types().count("page_view") == 5
    assert baliza.one("purchase")["transaction_id"] == "T-1"
    assert baliza.one("purchase")["value"] == 79.8
    assert baliza.one("select_item")["properties"] == {"item_list_id": "home"}
    assert baliza.one("select_item")["currency"] == "EUR"
    assert len({body["visitor"] for body in baliza.bodies}) == 1
    assert problems == []
    for body in baliza.bodies:
        msgspec.json.decode(json.dumps(body), type=Batch)


def test_offers_are_asked_for_shown_and_clicked(page: Page, baliza: Any, wait_until: Wait) -> None:
    baliza.offers = offers_of(baliza.url)
    page.goto(f"{baliza.url}/shop/p/LAMP-1")
    page.wait_for_selector("#offers .card")
    visitor = page.evaluate("localStorage.bz_v")
    assert baliza.asked == [
        {"key": "pk_test", "visitor": visitor, "placement": "product-detail", "limit": "4", "item_id": "LAMP-1"}
    ]
    assert page.locator("#offers .card").all_inner_texts() == [
        "Bulbs\n€9.90\nGoes with your lamp",
        "Pen\n€48.00\nGoes with your lamp",
    ]
    page.click("#offers .card >> nth=1")
    wait_until(lambda: "offer_clicked" in baliza.types() and baliza.types().count("view_item") == 2)
    shown, clicked = baliza.events[2], baliza.one("offer_clicked")
    assert (shown["type"], [item["item_id"] for item in shown["items"]]) == ("offer_shown", ["BULB-1", "PEN-1"])
    assert (shown["decision_id"], shown["response_code"], shown["placement"]) == ("d-1", "RC-1", "product-detail")
    assert (clicked["decision_id"], [item["item_id"] for item in clicked["items"]]) == ("d-1", ["PEN-1"])
    assert page.url.endswith("/shop/p/PEN-1")


def test_no_offers_no_strip(page: Page, baliza: Any, wait_until: Wait) -> None:
    page.goto(f"{baliza.url}/shop/")
    wait_until(lambda: len(baliza.asked) == 1)
    page.wait_for_timeout(200)
    assert page.locator("#offers").is_hidden()
    assert "offer_shown" not in baliza.types()


def test_offers_that_fail_are_silent(page: Page, baliza: Any) -> None:
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.route("**/v1/offers*", lambda route: route.fulfill(status=500, body="<html>"))
    page.goto(f"{baliza.url}/shop/")
    page.wait_for_timeout(700)
    assert page.locator("#offers").is_hidden()
    assert problems == []


def test_offer_with_a_script_for_an_address_is_harmless(page: Page, baliza: Any) -> None:
    baliza.offers = offers_of(baliza.url)
    baliza.offers["offers"][0] |= {"url": "javascript:alert(1)", "title": "<img src=x onerror=alert(1)>"}
    page.goto(f"{baliza.url}/shop/")
    page.wait_for_selector("#offers .card")
    assert page.locator("#offers .card >> nth=0").get_attribute("href") == "#"
    assert page.locator("#offers .card-name >> nth=0").inner_text() == "<img src=x onerror=alert(1)>"


def test_customer_is_known_from_log_in_to_log_out(page: Page, baliza: Any, wait_until: Wait) -> None:
    page.goto(f"{baliza.url}/shop/login")
    page.fill("input[type=email]", "ana@example.com")
    page.click("main button")
    wait_until(lambda: "login" in baliza.types())
    page.goto(f"{baliza.url}/shop/p/PEN-1")
    wait_until(lambda: "view_item" in baliza.types())
    page.click("text=Log out")
    wait_until(lambda: baliza.types().count("page_view") == 4)
    customer = customer_id_of("ana@example.com")
    assert baliza.one("login")["customer_id"] == customer
    assert baliza.one("view_item")["customer_id"] == customer
    assert "customer_id" not in [event for event in baliza.events if event["type"] == "page_view"][-1]


def test_visitor_who_opted_out_can_still_shop(page: Page, baliza: Any) -> None:
    page.add_init_script("Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', {get: () => true})")
    page.goto(f"{baliza.url}/shop/p/LAMP-1")
    page.click("text=Add to cart")
    page.wait_for_timeout(700)
    assert page.locator(".lines tbody tr").count() == 1
    assert baliza.bodies == []
    assert all("visitor" not in asked for asked in baliza.asked)
