"""The shop in a real browser, with the real beacon: what a visitor does → what arrives."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from playwright.sync_api import Browser, Page, Route

from demo.shop import customer_id_of
from schema.events import Batch
from tests.support.browser import NO_HURRY

pytestmark = [pytest.mark.browser, pytest.mark.network]

Wait = Callable[[Callable[[], bool]], None]


@pytest.fixture
def problems(page: Page) -> list[str]:
    """What the browser complained about: errors, and everything on the console."""
    found: list[str] = []
    page.on("console", lambda message: found.append(message.text))
    page.on("pageerror", lambda error: found.append(str(error)))
    return found


def offers_of(url: str) -> dict[str, Any]:
    """A decision with two offers of this shop."""
    return {
        "decision_id": "d-1",
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


def shopping(baliza: Any) -> list[str]:
    """Types of what the dataLayer told; what the beacon sees by itself is left out."""
    return [kind for kind in baliza.types() if kind not in {"page_view", "user_engagement"} and "faro" not in kind]


def test_a_visit_from_the_window_to_the_order(page: Page, baliza: Any, problems: list[str], wait_until: Wait) -> None:
    page.goto(f"{baliza.url}/shop/")
    wait_until(lambda: "view_item_list" in baliza.types())
    page.click("a[data-list=home][data-select=LAMP-1]")
    page.fill("input[name=quantity]", "2")
    page.click("text=Add to cart")
    page.click("main >> text=Check out")
    page.check("input[value=express]")
    page.check("input[value=transfer]")
    page.click("button:has-text('Order for')")
    wait_until(lambda: "purchase" in baliza.types())
    assert shopping(baliza) == [
        "view_promotion",
        "view_item_list",
        "select_item",
        "view_item",
        "add_to_cart",
        "view_cart",
        "sync_cart",
        "begin_checkout",
        "add_shipping_info",
        "add_payment_info",
        "purchase",
    ]
    assert baliza.types().count("page_view") == 5
    purchase, shipped = baliza.one("purchase"), baliza.one("add_shipping_info")
    assert (purchase["transaction_id"], purchase["value"], purchase["shipping"]) == ("T-1", 79.8, 9.9)
    assert (shipped["properties"], shipped["value"]) == ({"shipping_tier": "express"}, 79.8)
    assert baliza.one("select_item")["properties"] == {"item_list_id": "home"}
    assert baliza.one("select_item")["currency"] == "EUR"
    assert len({body["visitor"] for body in baliza.bodies}) == 1
    assert problems == []
    for body in baliza.bodies:
        msgspec.json.decode(json.dumps(body), type=Batch)


def test_banner_tells_who_follows_it(page: Page, baliza: Any, problems: list[str], wait_until: Wait) -> None:
    page.goto(f"{baliza.url}/shop/")
    page.click(".hero [data-promotion]")
    wait_until(lambda: "select_promotion" in baliza.types() and baliza.types().count("page_view") == 2)
    assert baliza.one("select_promotion")["properties"] == {
        "promotion_id": "autumn-light",
        "promotion_name": "Autumn light",
        "creative_name": "autumn",
        "creative_slot": "home-hero",
    }
    assert page.url.endswith("/c/light")
    assert problems == []


def test_promotions_do_not_leak_into_the_next_push(page: Page, baliza: Any, wait_until: Wait) -> None:
    page.goto(f"{baliza.url}/shop/")
    wait_until(lambda: "view_item_list" in baliza.types())
    assert "promotion_id" not in baliza.one("view_item_list")["properties"]
    layer = page.evaluate("dataLayer.map(each => each.ecommerce === null ? 'cleared' : each.event || each[0])")
    assert layer == ["cleared", "view_promotion", "cleared", "view_item_list"]


def test_markup_is_data_that_the_content_policy_lets_stand(page: Page, baliza: Any, problems: list[str]) -> None:
    page.goto(f"{baliza.url}/shop/p/KNIFE-1")
    markup = page.evaluate("JSON.parse(document.querySelector('script[type=\"application/ld+json\"]').textContent)")
    assert (markup["sku"], markup["offers"]["price"]) == ("KNIFE-1", "79.00")
    page.wait_for_timeout(300)
    assert problems == []


def test_markup_and_data_layer_are_one_view(page: Page, baliza: Any, wait_until: Wait) -> None:
    page.goto(f"{baliza.url}/shop/p/KNIFE-1")
    wait_until(lambda: "view_item" in baliza.types())
    page.wait_for_timeout(1000)
    assert baliza.types().count("view_item") == 1


@pytest.mark.parametrize(
    ("item_id", "name", "brand", "category", "price"),
    [("VASE-1", "Vase Ola", "Barro", "living", "47.00"), ("POT-1", "Terracotta pot, 22 cm", "Barro", "balcony", "16.50")],
)
def test_products_that_only_their_markup_tells_of_are_viewed(
    page: Page, baliza: Any, wait_until: Wait, item_id: str, name: str, brand: str, category: str, price: str
) -> None:
    page.goto(f"{baliza.url}/shop/p/{item_id}")
    wait_until(lambda: "view_item" in baliza.types())
    view = baliza.one("view_item")
    (item,) = view["items"]
    assert view["currency"] == "EUR"
    assert (item["item_id"], item["item_name"], item["item_brand"], item["item_category"], item["price"]) == (
        item_id, name, brand, category, price,
    )  # fmt: skip
    assert item["image"] == f"{baliza.url}/shop/pictures/{item_id}.svg"


def test_brands_of_a_category_are_pages_of_their_own(page: Page, baliza: Any, problems: list[str], wait_until: Wait) -> None:
    page.goto(f"{baliza.url}/shop/c/travel")
    page.evaluate("window.stayed = true")
    page.click("a[data-filter=Rumbo]")
    assert page.inner_text("#shown") == "3 of 7 shown"
    assert page.locator(".card:visible").count() == 3
    page.go_back()
    assert page.locator(".card:visible").count() == 7
    wait_until(lambda: baliza.types().count("page_view") == 3 and baliza.types().count("view_item_list") == 3)
    assert page.evaluate("window.stayed")
    views = [event["page"]["url"].partition("/c/")[2] for event in baliza.events if event["type"] == "page_view"]
    assert views == ["travel", "travel?brand=Rumbo", "travel"]
    assert [len(event["items"]) for event in baliza.events if event["type"] == "view_item_list"] == [7, 3, 7]
    assert problems == []


def test_cart_says_what_it_holds_after_each_change(page: Page, baliza: Any, wait_until: Wait) -> None:
    page.goto(f"{baliza.url}/shop/p/PEN-1")
    page.click("text=Add to cart")
    page.click("[aria-label='One more of Fountain pen Pluma']")
    page.click("[aria-label='One less of Fountain pen Pluma']")
    page.click("[aria-label='Remove Fountain pen Pluma']")
    page.wait_for_selector(".empty")
    wait_until(lambda: baliza.types().count("sync_cart") == 4)
    carts = [[item["quantity"] for item in event["items"]] for event in baliza.events if event["type"] == "sync_cart"]
    assert carts == [[1], [2], [1], []]


def go_to_the_till(page: Page, baliza: Any) -> None:
    page.goto(f"{baliza.url}/shop/p/LAMP-1")
    page.click("text=Add to cart")
    page.wait_for_url("**/cart")
    page.click("main >> text=Check out")
    page.wait_for_url("**/checkout")


def test_shipping_is_added_to_what_is_to_pay(page: Page, baliza: Any) -> None:
    go_to_the_till(page, baliza)
    to_pay = page.locator("[data-to-pay]")
    assert to_pay.all_inner_texts() == ["€44.80", "€44.80"]
    page.check("input[value=express]")
    assert to_pay.all_inner_texts() == ["€49.80", "€49.80"]
    page.click("button:has-text('Order for')")
    page.wait_for_url("**/thanks")
    assert "together €49.80" in page.inner_text("main")


def test_answer_after_the_order_is_told(page: Page, baliza: Any, wait_until: Wait) -> None:
    go_to_the_till(page, baliza)
    page.click("button:has-text('Order for')")
    page.wait_for_url("**/thanks")
    page.click("button:has-text('So-so')")
    wait_until(lambda: "survey_answer" in baliza.types())
    assert baliza.one("survey_answer")["properties"] == {"question": "ease", "answer": "so-so"}


@pytest.mark.parametrize(
    ("path", "marked", "kind", "content_id"),
    [
        ("/c/travel", ".ad", "ad", "andar-mend"),
        ("/", ".tile >> nth=2", "category", "coffee"),
        ("/", ".teaser >> nth=0", "editorial", "first-cup"),
        ("/", ".letter button", "subscription", "letter"),
        ("/", ".hero [data-promotion]", "promotion", "autumn-light"),
        ("/c/desk", ".card >> nth=0", "product", "PEN-1"),
    ],
)
def test_clicks_on_faros_of_every_kind_are_observed(
    page: Page, baliza: Any, wait_until: Wait, path: str, marked: str, kind: str, content_id: str
) -> None:
    page.goto(f"{baliza.url}/shop{path}")
    wait_until(lambda: "page_view" in baliza.types())
    page.click(marked)
    wait_until(lambda: "faro_click" in baliza.types())
    assert baliza.one("faro_click")["content"] == {"kind": kind, "id": content_id}


def test_keyboard_reaches_the_content_first_and_sees_where_it_is(page: Page, baliza: Any) -> None:
    page.goto(f"{baliza.url}/shop/c/desk")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    focused = page.evaluate("[document.activeElement.className, getComputedStyle(document.activeElement).outlineStyle]")
    assert focused == ["ribbon", "solid"]


@pytest.mark.parametrize(
    "path", ["/", "/c/kitchen", "/p/LAMP-1", "/cart", "/search?q=submarine", "/seen", "/stories/first-cup"]
)
def test_no_page_is_wider_than_a_phone(page: Page, baliza: Any, path: str) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(f"{baliza.url}/shop{path}")
    assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_offers_are_asked_for_shown_and_clicked(page: Page, baliza: Any, problems: list[str], wait_until: Wait) -> None:
    baliza.offers = offers_of(baliza.url)
    page.add_init_script(NO_HURRY)
    page.goto(f"{baliza.url}/shop/p/LAMP-1")
    page.wait_for_selector(".offers .card:has-text('Bulbs')")
    page.locator(".offers").scroll_into_view_if_needed()
    wait_until(lambda: "view_item" in baliza.types())
    visitor = page.evaluate("localStorage.bz_v")
    assert baliza.asked == [
        {"key": "pk_test", "visitor": visitor, "placement": "product-detail", "limit": "4", "item_id": "LAMP-1"}
    ]
    assert page.locator(".offers .card").all_inner_texts() == [
        "Bulbs\n€9.90\nGoes with your lamp",
        "Pen\n€48.00\nGoes with your lamp",
    ]
    wait_until(lambda: "offer_shown" in baliza.types())
    page.click(".offers .card >> nth=1")
    wait_until(lambda: "offer_clicked" in baliza.types() and baliza.types().count("view_item") == 2)
    shown, clicked = baliza.one("offer_shown"), baliza.one("offer_clicked")
    for told, item_ids in ((shown, ["BULB-1", "PEN-1"]), (clicked, ["PEN-1"])):
        assert [item["item_id"] for item in told["items"]] == item_ids
        assert (told["decision_id"], told["response_code"], told["placement"]) == ("d-1", "RC-1", "product-detail")
        assert told["currency"] == "EUR"
    assert page.url.endswith("/shop/p/PEN-1")
    assert problems == []


OWN_PICKS = ["LAMP-4", "BEANS-1", "VASE-1", "NOTE-1"]


def picks_of(page: Page) -> list[str]:
    found: list[str] = page.locator(".offers .card").evaluate_all("cards => cards.map(card => card.dataset.select)")
    return found


@pytest.mark.parametrize(("status", "body"), [(200, '{"offers": []}'), (500, "<html>"), (200, "")])
def test_own_picks_stand_where_no_offers_come(page: Page, baliza: Any, status: int, body: str, wait_until: Wait) -> None:
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.route("**/v1/offers*", lambda route: route.fulfill(status=status, body=body))
    with page.expect_response("**/v1/offers*"):
        page.goto(f"{baliza.url}/shop/")
    # An event that is recorded after the answer came arrives after anything that the answer led to.
    page.evaluate("dataLayer.push({event: 'search', ecommerce: {search_term: 'after'}})")
    wait_until(lambda: "search" in baliza.types())
    assert picks_of(page) == OWN_PICKS
    assert "offer_shown" not in baliza.types()
    assert errors == []


def test_offer_with_a_script_for_an_address_is_no_link(page: Page, baliza: Any, problems: list[str]) -> None:
    baliza.offers = offers_of(baliza.url)
    baliza.offers["offers"][0] |= {"url": "javascript:alert(1)", "title": "<img src=x onerror=alert(1)>"}
    page.add_init_script(NO_HURRY)
    page.goto(f"{baliza.url}/shop/")
    card = page.locator(".offers .card:has-text('onerror')")
    assert card.locator(".card-name").inner_text() == "<img src=x onerror=alert(1)>"
    assert card.get_attribute("href") == "#"
    assert page.locator(".offers .card").count() == 2
    assert problems == []


def test_shop_that_asks_first_observes_after_yes(page: Page, baliza: Any, wait_until: Wait) -> None:
    page.goto(f"{baliza.url}/shop/?consent=ask")
    page.wait_for_timeout(700)
    assert page.locator("#consent").is_visible()
    assert baliza.bodies == []
    page.click("text=Accept")
    wait_until(lambda: "page_view" in baliza.types())
    assert page.locator("#consent").is_hidden()
    page.goto(f"{baliza.url}/shop/p/PEN-1")
    wait_until(lambda: "view_item" in baliza.types())
    assert page.locator("#consent").is_hidden()
    assert {event["consent"] for event in baliza.events} == {"granted"}


def test_shop_that_asks_first_observes_nothing_after_no(page: Page, baliza: Any) -> None:
    page.goto(f"{baliza.url}/shop/?consent=ask")
    page.click("text=Decline")
    page.goto(f"{baliza.url}/shop/p/PEN-1")
    page.click("text=Add to cart")
    page.wait_for_timeout(700)
    assert page.locator("#consent").is_hidden()
    assert baliza.bodies == []
    page.goto(f"{baliza.url}/shop/?consent=ask")
    assert page.locator("#consent").is_visible()


def test_browser_without_script_sends_the_pixel(browser: Browser, baliza: Any) -> None:
    context = browser.new_context(java_script_enabled=False)
    page, asked = context.new_page(), list[str]()
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{baliza.url}/shop/p/PEN-1")
    context.close()
    assert [url.partition("?")[0] for url in asked if "/o.gif" in url] == [f"{baliza.url}/o.gif"]


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


def test_log_out_comes_before_the_next_page_view(page: Page, baliza: Any, wait_until: Wait) -> None:
    page.goto(f"{baliza.url}/shop/login")
    page.fill("input[type=email]", "ana@example.com")
    page.click("main button")
    wait_until(lambda: "login" in baliza.types())
    ana = baliza.bodies[-1]["visitor"]
    before = len(baliza.bodies)

    def late(route: Route) -> None:
        """The beacon is there long before the shop's own script is."""
        page.wait_for_timeout(400)
        route.continue_()

    page.route("**/layer.js", late)
    page.click("text=Log out")
    wait_until(lambda: baliza.types().count("page_view") == 3)
    bodies = [body for body in baliza.bodies[before:] if any(event["type"] == "page_view" for event in body["events"])]
    assert ana not in {body["visitor"] for body in bodies}
    assert [event["customer_id"] for body in bodies for event in body["events"] if "customer_id" in event] == []


def test_visitor_who_opted_out_can_still_shop(page: Page, baliza: Any) -> None:
    page.add_init_script("Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', {get: () => true})")
    page.goto(f"{baliza.url}/shop/p/LAMP-1")
    page.click("text=Add to cart")
    page.wait_for_timeout(700)
    assert page.locator(".lines tbody tr").count() == 1
    assert baliza.bodies == []
    assert all("visitor" not in asked for asked in baliza.asked)
