import json
import re

import pytest
from flask.testing import FlaskClient

from demo.catalogue import CATEGORIES, PRODUCTS
from demo.editorial import STORIES
from demo.shop import create_app, customer_id_of
from tests.demo.pages import data_of, named


@pytest.mark.parametrize(
    "path",
    ["/", "/cart", "/login", "/seen", "/search", "/search?q=lamp", "/c/travel?brand=Rumbo"]
    + [f"/c/{shelf.slug}" for shelf in CATEGORIES]
    + [f"/p/{product.item_id}" for product in PRODUCTS]
    + [f"/stories/{slug}" for slug in STORIES],
)
def test_every_page_opens_and_stays_under_its_mount(shop: FlaskClient, path: str) -> None:
    answer = shop.get("/shop" + path)
    assert answer.status_code == 200
    addresses = re.findall(r'(?:href|src|action)="(/[^"]*)"', answer.text)
    outside = [address.partition("?")[0] for address in addresses if not address.startswith("/shop/")]
    assert outside == ["/b.js", "/o.gif"]


@pytest.mark.parametrize("path", ["/p/GONE-1", "/c/gone", "/pictures/GONE-1.svg", "/stories/gone", "/gone"])
def test_unknown_things_are_not_found(shop: FlaskClient, path: str) -> None:
    answer = shop.get("/shop" + path)
    assert answer.status_code == 404
    assert "There is nothing here" in answer.text


def test_pages_have_no_inline_script_and_say_so(shop: FlaskClient) -> None:
    answer = shop.get("/shop/p/LAMP-1")
    assert re.findall(r"<script(?![^>]*(?:src=|application/json|application/ld\+json))", answer.text) == []
    assert not re.search(r"\son\w+=|style=", answer.text)
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'self'; script-src 'self';")


def test_beacon_from_elsewhere_is_let_in() -> None:
    answer = create_app("pk_test", "https://b.example/b.js").test_client().get("/")
    assert '<script async src="https://b.example/b.js" data-site="pk_test"></script>' in answer.text
    assert "connect-src 'self' https://b.example" in answer.headers["Content-Security-Policy"]
    assert '<noscript><img class="pixel" src="https://b.example/o.gif?' in answer.text


def test_what_visitors_type_is_escaped(shop: FlaskClient) -> None:
    answer = shop.get("/shop/search", query_string={"q": "</script><b>lamp"})
    assert "</script><b>" not in answer.text
    assert (
        named(data_of(shop, "/search?q=%3C/script%3E%3Cb%3Elamp")["pushes"])["search"]["search_term"] == "</script><b>lamp"
    )


def test_product_page_pushes_the_view(shop: FlaskClient) -> None:
    data = data_of(shop, "/p/LAMP-1")
    assert data["pushes"] == [
        [
            "event",
            "view_item",
            {
                "currency": "EUR",
                "value": 39.9,
                "items": [
                    {
                        "item_id": "LAMP-1",
                        "item_name": "Table lamp Duna",
                        "item_brand": "Lumo",
                        "item_category": "light",
                        "price": 39.9,
                        "quantity": 1,
                        "url": "http://localhost/shop/p/LAMP-1",
                        "image": "http://localhost/shop/pictures/LAMP-1.svg",
                    }
                ],
            },
        ]
    ]


def test_lists_push_what_they_show(shop: FlaskClient) -> None:
    shelf = named(data_of(shop, "/c/light")["pushes"])["view_item_list"]
    assert (shelf["item_list_id"], shelf["currency"]) == ("light", "EUR")
    assert [item["index"] for item in shelf["items"]] == [0, 1, 2, 3, 4, 5, 6]
    assert set(data_of(shop, "/c/light")["listed"]) == {item["item_id"] for item in shelf["items"]}


def test_category_of_one_brand_lists_that_brand(shop: FlaskClient) -> None:
    told = named(data_of(shop, "/c/travel?brand=Rumbo")["pushes"])["view_item_list"]
    assert {item["item_brand"] for item in told["items"]} == {"Rumbo"}
    cards = re.findall('<a class="card"[^>]*data-brand="([^"]*)"( hidden)?>', shop.get("/shop/c/travel?brand=Rumbo").text)
    assert all((brand == "Rumbo") != bool(hidden) for brand, hidden in cards)
    assert len(cards) == 7
    assert len(named(data_of(shop, "/c/travel?brand=Nobody")["pushes"])["view_item_list"]["items"]) == 7


def test_each_category_has_an_advertisement(shop: FlaskClient) -> None:
    for shelf in CATEGORIES:
        assert len(re.findall('data-faro="ad:[a-z-]+"', shop.get(f"/shop/c/{shelf.slug}").text)) == 1


@pytest.mark.parametrize(
    ("item_id", "in_layer", "in_json", "in_microdata"),
    [("LAMP-1", True, True, False), ("VASE-1", False, True, False), ("POT-1", False, False, True)],
)
def test_shelves_tell_their_products_in_their_own_way(
    shop: FlaskClient, item_id: str, in_layer: bool, in_json: bool, in_microdata: bool
) -> None:
    page = shop.get(f"/shop/p/{item_id}").text
    assert ("view_item" in named(data_of(shop, f"/p/{item_id}")["pushes"])) == in_layer
    assert ("application/ld+json" in page) == in_json
    assert ('itemtype="https://schema.org/Product"' in page) == in_microdata


@pytest.mark.parametrize("path", ["/search?q=submarine", "/gone"])
def test_where_nothing_is_found_shelves_are_shown(shop: FlaskClient, path: str) -> None:
    assert len(re.findall('class="tile"', shop.get("/shop" + path).text)) == len(CATEGORIES)


def test_search_pushes_term_and_results(shop: FlaskClient) -> None:
    pushes = named(data_of(shop, "/search?q=coffee")["pushes"])
    assert pushes["search"] == {"search_term": "coffee", "results": len(pushes["view_item_list"]["items"])}
    assert set(named(data_of(shop, "/search?q=submarine")["pushes"])) == {"search"}
    assert data_of(shop, "/search")["pushes"] == []


def test_log_in_gives_an_id_that_is_not_the_address(shop: FlaskClient) -> None:
    shop.post("/shop/login", data={"email": "Ana@Example.com "})
    data = data_of(shop, "/")
    assert data["customer"] == customer_id_of("ana@example.com")
    assert data["pushes"][0] == ["event", "login", {"method": "email", "user_id": data["customer"]}]
    assert re.fullmatch("c-[0-9a-f]{12}", data["customer"])
    cookie = shop.get_cookie("demo_shop", path="/shop")
    assert cookie is not None
    assert "xample" not in json.dumps(data) + cookie.value


def test_log_out_is_told_once(shop: FlaskClient) -> None:
    shop.post("/shop/login", data={"email": "ana@example.com"})
    data_of(shop, "/")
    shop.post("/shop/logout")
    first, second = data_of(shop, "/"), data_of(shop, "/")
    assert (first["customer"], first["loggedOut"], second["loggedOut"]) == (None, True, False)


def test_something_that_is_no_address_logs_nobody_in(shop: FlaskClient) -> None:
    assert shop.post("/shop/login", data={"email": "ana"}).headers["Location"] == "/shop/login"
    assert data_of(shop, "/")["customer"] is None


def test_cookie_stays_under_the_mount(shop: FlaskClient) -> None:
    answer = shop.post("/shop/cart/add", data={"item_id": "PEN-1"})
    cookie = answer.headers["Set-Cookie"]
    assert "Path=/shop" in cookie
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


def test_what_changes_nothing_leaves_the_cookie_alone(shop: FlaskClient) -> None:
    shop.post("/shop/cart/add", data={"item_id": "PEN-1"})
    assert "Set-Cookie" in shop.get("/shop/cart").headers, "what is told once is forgotten"
    for path in ("/shop/cart", "/shop/", "/shop/pictures/PEN-1.svg", "/shop/static/shop.css"):
        with shop.get(path) as answer:
            assert (answer.status_code, "Set-Cookie" in answer.headers) == (200, False), path


def test_two_workers_read_each_others_cookies() -> None:
    assert create_app("pk_a").secret_key == create_app("pk_a").secret_key != create_app("pk_b").secret_key


def test_picture_is_an_image(shop: FlaskClient) -> None:
    answer = shop.get("/shop/pictures/LAMP-1.svg")
    assert answer.mimetype == "image/svg+xml"
    assert "max-age=3600" in answer.headers["Cache-Control"]


def test_product_page_has_markup_of_the_same_product(shop: FlaskClient) -> None:
    found = re.search(r'<script type="application/ld\+json">(.*?)</script>', shop.get("/shop/p/KNIFE-1").text)
    assert found
    markup = json.loads(found[1])
    assert (markup["@type"], markup["sku"], markup["offers"]["price"]) == ("Product", "KNIFE-1", "79.00")
    assert markup["@id"] == "http://localhost/shop/p/KNIFE-1"


@pytest.mark.parametrize(
    ("path", "placement", "item_id"),
    [("/", "home-hero", None), ("/p/LAMP-1", "product-detail", "LAMP-1"), ("/cart", "cart", None)],
)
def test_strip_says_its_placement_and_holds_own_picks(
    shop: FlaskClient, path: str, placement: str, item_id: str | None
) -> None:
    strip = shop.get("/shop" + path).text.partition('<div class="grid" data-baliza-offers=')[2].partition("</section>")[0]
    assert strip.startswith(f'"{placement}" data-baliza-limit="4"')
    assert re.findall('data-baliza-item="([^"]*)"', strip) == ([item_id] if item_id else [])
    assert set(re.findall(r'data-b="(\w+)"', strip)) == {"url", "image", "title", "price", "reason"}
    assert len(re.findall('data-faro="product:[A-Z0-9-]+"', strip)) == 4


@pytest.mark.parametrize(
    ("path", "slot"),
    [
        ("/", "home-hero"),
        ("/c/kitchen", "category-top"),
        ("/c/light", None),
        ("/search?q=lamp", None),
        ("/p/LAMP-1", None),
    ],
)
def test_banner_is_a_faro_and_tells_ga4(shop: FlaskClient, path: str, slot: str | None) -> None:
    page, data = shop.get("/shop" + path).text, data_of(shop, path)
    codes = re.findall('data-faro="promotion:autumn-light" data-faro-code="([^"]*)"', page)
    assert codes == ([f"{slot}.autumn"] if slot else [])
    told = named(data["pushes"]).get("view_promotion")
    assert (told and told["creative_slot"]) == slot
    assert data["promotion"] == told


def test_home_page_marks_all_kinds_of_things(shop: FlaskClient) -> None:
    kinds = re.findall(r'data-faro="(\w+):', shop.get("/shop/").text)
    counts = {kind: kinds.count(kind) for kind in kinds}
    assert counts == {"promotion": 1, "category": 8, "product": 12, "editorial": 2, "subscription": 1}


def test_story_lists_what_it_takes(shop: FlaskClient) -> None:
    told = named(data_of(shop, "/stories/first-cup")["pushes"])["view_item_list"]
    assert told["item_list_id"] == "story-first-cup"
    assert [item["item_id"] for item in told["items"]] == ["MOKA-1", "BEANS-1", "GRIND-1", "CUPS-1"]


def test_letter_is_told_once_without_the_address(shop: FlaskClient) -> None:
    shop.post("/shop/letter", data={"email": "ana@example.com"})
    told = data_of(shop, "/")
    assert told["pushes"][0] == ["event", "generate_lead", {"lead_source": "letter"}]
    page = shop.get("/shop/").text
    assert "You will hear from us" in page
    assert "ana@" not in page
    shop.post("/shop/letter", data={"email": "nobody"})
    assert "generate_lead" not in named(data_of(shop, "/")["pushes"])
