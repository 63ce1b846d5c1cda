"""A shop that speaks in several ways, or in none: what counts, and that nothing counts twice."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.network]

Wait = Callable[[Callable[[], bool]], None]
STUB = "window.baliza=window.baliza||function(){(baliza.q=baliza.q||[]).push(arguments)};"
GTAG = "window.dataLayer=window.dataLayer||[];function gtag(){dataLayer.push(arguments)};"
LAMP = "{items: [{item_id: 'LAMP-1', item_name: 'Lamp', price: 39.9}], currency: 'EUR'}"
PRODUCT = {
    "@context": "https://schema.org/",
    "@type": "Product",
    "sku": "LAMP-1",
    "name": "Lamp",
    "offers": {"@type": "Offer", "price": "39.90", "priceCurrency": "EUR"},
}
JSON_LD = f'<script type="application/ld+json">{json.dumps(PRODUCT)}</script>'
MICRODATA = """<div itemscope itemtype="https://schema.org/Product">
  <span itemprop="brand" itemscope itemtype="https://schema.org/Brand"><b itemprop="name">Lumen</b></span>
  <h1 itemprop="name">Lamp</h1><meta itemprop="sku" content="LAMP-1"><img itemprop="image" src="/lamp.jpg">
  <div itemprop="offers" itemscope itemtype="https://schema.org/Offer">
    <meta itemprop="priceCurrency" content="EUR"><span itemprop="price" content="39.90">39,90 €</span></div>
  <div itemprop="isRelatedTo" itemscope itemtype="https://schema.org/Thing"><b itemprop="name">Bulb</b></div></div>"""


def views(far_end: Any) -> list[list[str]]:
    return [[item["item_id"] for item in event["items"]] for event in far_end.events if event["type"] == "view_item"]


@pytest.mark.parametrize(
    ("body", "more"), [(JSON_LD, {}), (MICRODATA, {"item_brand": "Lumen"})], ids=["json-ld", "microdata"]
)
def test_structured_data_is_a_view_where_the_shop_says_nothing(
    page: Page, far_end: Any, shop_page: Any, wait_until: Wait, body: str, more: dict[str, str]
) -> None:
    page.goto(shop_page("/p/lamp", body=body))
    wait_until(lambda: "view_item" in far_end.types())
    event = far_end.one("view_item")
    (item,) = event["items"]
    assert item.pop("url") == f"{far_end.origin}/p/lamp"
    assert item.pop("image", f"{far_end.origin}/lamp.jpg") == f"{far_end.origin}/lamp.jpg"
    assert item == {"item_id": "LAMP-1", "item_name": "Lamp", "price": "39.90"} | more
    assert event["currency"] == "EUR"


@pytest.mark.parametrize("said", [f"baliza('event', 'view_item', {LAMP})", f"gtag('event', 'view_item', {LAMP})"])
def test_what_the_shop_says_is_worth_more_than_structured_data(page: Page, far_end: Any, shop_page: Any, said: str) -> None:
    page.goto(shop_page("/", before=STUB + GTAG + said, body=JSON_LD.replace("LAMP-1", "OTHER")))
    page.wait_for_timeout(1500)
    assert views(far_end) == [["LAMP-1"]]


def test_several_products_are_a_list(page: Page, far_end: Any, shop_page: Any) -> None:
    page.goto(shop_page("/", body=JSON_LD + JSON_LD.replace("Lamp", "Bulb").replace("LAMP-1", "BULB-1")))
    page.wait_for_timeout(1500)
    assert views(far_end) == []


def test_broken_structured_data_is_silent(page: Page, far_end: Any, shop_page: Any) -> None:
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(shop_page("/", body='<script type="application/ld+json">{"@type": "Product",}</script><i itemprop="x">'))
    page.wait_for_timeout(1200)
    assert (views(far_end), errors) == ([], [])


def test_each_page_of_a_single_page_shop_has_its_product(page: Page, far_end: Any, shop_page: Any, wait_until: Wait) -> None:
    page.goto(shop_page("/p/lamp", body=f'<div id="app">{JSON_LD}</div>'))
    wait_until(lambda: views(far_end) == [["LAMP-1"]])
    page.evaluate("history.pushState({}, '', '/about')")
    page.wait_for_timeout(1000)
    assert views(far_end) == [["LAMP-1"]], "data that was left behind is not seen again"
    page.evaluate(
        """() => { history.pushState({}, '', '/p/bulb');
        const data = document.querySelector('[type="application/ld+json"]');
        data.textContent = data.textContent.replace('LAMP-1', 'BULB-1') }"""
    )
    wait_until(lambda: views(far_end) == [["LAMP-1"], ["BULB-1"]])


def test_the_same_thing_said_in_two_ways_counts_once(page: Page, far_end: Any, shop_page: Any, wait_until: Wait) -> None:
    page.goto(shop_page("/", before=STUB + GTAG + f"gtag('event','view_item',{LAMP});baliza('event','view_item',{LAMP});"))
    page.wait_for_function("window.baliza && window.baliza.ready")
    page.evaluate(
        f"""() => {{ const lamp = {LAMP};
        for (let n = 0; n < 2; n++) {{ gtag('event', 'add_to_cart', lamp); baliza('event', 'add_to_cart', lamp) }}
        baliza('event', 'page_view'); baliza('event', 'search', {{search_term: 'end'}}) }}"""
    )
    wait_until(lambda: "search" in far_end.types())
    assert far_end.types() == ["page_view", "view_item", "add_to_cart", "add_to_cart", "search"]


def test_the_whole_cart_comes_after_the_changes_that_led_to_it(
    page: Page, far_end: Any, shop_page: Any, wait_until: Wait
) -> None:
    said = f"baliza('cart', {LAMP}.items, {{currency: 'EUR'}}); gtag('event', 'add_to_cart', {LAMP});"
    page.goto(shop_page("/", before=STUB + GTAG + said))
    wait_until(lambda: "sync_cart" in far_end.types())
    assert far_end.types() == ["page_view", "add_to_cart", "sync_cart"]


def test_ecommerce_in_a_push_of_its_own_stays_until_null(page: Page, far_end: Any, shop_page: Any, wait_until: Wait) -> None:
    page.goto(shop_page("/", before=f"window.dataLayer=[{{ecommerce: {LAMP}}}, {{event: 'view_item'}}]"))
    page.wait_for_function("window.baliza && window.baliza.ready")
    page.evaluate("() => { dataLayer.push({ecommerce: null}); dataLayer.push({event: 'view_cart'}) }")
    wait_until(lambda: "view_cart" in far_end.types())
    assert views(far_end) == [["LAMP-1"]]
    assert "items" not in far_end.one("view_cart")


@pytest.mark.parametrize(
    "said",
    [
        "gtag('config', 'G-1', {user_id: 'c-9'})",
        "gtag('set', {user_id: 'c-9'})",
        "dataLayer.push({event: 'login', user_id: 'c-9'})",
    ],
)
def test_the_data_layer_says_who_it_is(page: Page, far_end: Any, shop_page: Any, wait_until: Wait, said: str) -> None:
    page.goto(shop_page("/", before=GTAG + said))
    wait_until(lambda: "login" in far_end.types())
    page.wait_for_timeout(400)
    assert far_end.types() == ["page_view", "login"]
    assert far_end.one("login")["customer_id"] == "c-9"


def test_other_tools_events_are_left_alone(page: Page, far_end: Any, shop_page: Any, wait_until: Wait) -> None:
    names = "gtm.js page_view scroll add_to_wishlist view_search_results viewItem consent_update cart_info".split()
    pushes = ",".join(f"{{event: '{name}'}}" for name in names)
    page.goto(shop_page("/", before=f"window.dataLayer=[{pushes}, {{event: 'search', search_term: 'lamp'}}]"))
    wait_until(lambda: "search" in far_end.types())
    assert far_end.types() == ["page_view", "search"]
