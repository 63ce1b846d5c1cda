import json
import re
from typing import Any

import pytest
from flask.testing import FlaskClient

from demo.catalogue import CATEGORIES, PRODUCTS
from demo.shop import create_app, customer_id_of


def data_of(client: FlaskClient, path: str) -> dict[str, Any]:
    """What a page tells its script."""
    answer = client.get("/shop" + path)
    assert answer.status_code == 200, answer.status
    found = re.search(r'<script type="application/json" id="page-data">(.*?)</script>', answer.text, re.S)
    assert found
    data: dict[str, Any] = json.loads(found[1])
    return data


def named(pushes: list[Any]) -> dict[str, Any]:
    """Pushes by name, whichever form they have."""
    return {
        (push[1] if isinstance(push, list) else push["event"]): (push[2] if isinstance(push, list) else push["ecommerce"])
        for push in pushes
    }


def add(client: FlaskClient, item_id: str, quantity: int = 1) -> None:
    answer = client.post("/shop/cart/add", data={"item_id": item_id, "quantity": quantity})
    assert answer.status_code == 303


@pytest.mark.parametrize(
    "path",
    ["/", "/cart", "/login", "/search", "/search?q=lamp"]
    + [f"/c/{shelf.slug}" for shelf in CATEGORIES]
    + [f"/p/{product.item_id}" for product in PRODUCTS],
)
def test_every_page_opens_and_stays_under_its_mount(shop: FlaskClient, path: str) -> None:
    answer = shop.get("/shop" + path)
    assert answer.status_code == 200
    addresses = re.findall(r'(?:href|src|action)="(/[^"]*)"', answer.text)
    assert [address for address in addresses if not address.startswith("/shop/")] == ["/b.js"]


@pytest.mark.parametrize("path", ["/p/GONE-1", "/c/gone", "/pictures/GONE-1.svg", "/gone"])
def test_unknown_things_are_not_found(shop: FlaskClient, path: str) -> None:
    answer = shop.get("/shop" + path)
    assert answer.status_code == 404
    assert "There is nothing here" in answer.text


def test_pages_have_no_inline_script_and_say_so(shop: FlaskClient) -> None:
    answer = shop.get("/shop/p/LAMP-1")
    assert re.findall(r"<script(?![^>]*(?:src=|application/json))", answer.text) == []
    assert not re.search(r"\son\w+=|style=", answer.text)
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'self'; script-src 'self';")


def test_beacon_from_elsewhere_is_let_in() -> None:
    answer = create_app("pk_test", "https://b.example/b.js").test_client().get("/")
    assert '<script async src="https://b.example/b.js" data-site="pk_test"></script>' in answer.text
    assert "connect-src 'self' https://b.example" in answer.headers["Content-Security-Policy"]
    assert "https://b.example/v1/offers" in answer.text


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
    assert data["offers"] == {"url": "/v1/offers", "placement": "product-detail", "itemId": "LAMP-1", "limit": 4}


def test_lists_push_what_they_show(shop: FlaskClient) -> None:
    shelf = named(data_of(shop, "/c/light")["pushes"])["view_item_list"]
    assert (shelf["item_list_id"], shelf["currency"]) == ("light", "EUR")
    assert [item["index"] for item in shelf["items"]] == [0, 1, 2, 3, 4]
    assert set(data_of(shop, "/c/light")["listed"]) == {item["item_id"] for item in shelf["items"]}


def test_search_pushes_term_and_results(shop: FlaskClient) -> None:
    pushes = named(data_of(shop, "/search?q=coffee")["pushes"])
    assert pushes["search"] == {"search_term": "coffee", "results": len(pushes["view_item_list"]["items"])}
    assert set(named(data_of(shop, "/search?q=submarine")["pushes"])) == {"search"}
    assert data_of(shop, "/search")["pushes"] == []


def test_cart_tells_what_was_added_once(shop: FlaskClient) -> None:
    add(shop, "LAMP-1", 2)
    pushes = named(data_of(shop, "/cart")["pushes"])
    assert (pushes["add_to_cart"]["value"], pushes["add_to_cart"]["items"][0]["quantity"]) == (79.8, 2)
    assert pushes["view_cart"]["value"] == 79.8
    assert set(named(data_of(shop, "/cart")["pushes"])) == {"view_cart"}


def test_removing_tells_what_went(shop: FlaskClient) -> None:
    add(shop, "LAMP-1", 2)
    add(shop, "BULB-1")
    shop.post("/shop/cart/remove", data={"item_id": "LAMP-1"})
    pushes = named(data_of(shop, "/cart")["pushes"])
    assert pushes["remove_from_cart"]["items"][0]["quantity"] == 2
    assert [item["item_id"] for item in pushes["view_cart"]["items"]] == ["BULB-1"]


@pytest.mark.parametrize("quantity", ["-5", "0", "x", "", "1000000"])
def test_odd_quantities_do_no_harm(shop: FlaskClient, quantity: str) -> None:
    assert shop.post("/shop/cart/add", data={"item_id": "PEN-1", "quantity": quantity}).status_code == 303
    items = named(data_of(shop, "/cart")["pushes"])["view_cart"]["items"]
    assert 1 <= items[0]["quantity"] <= 9


def test_unknown_product_cannot_be_added(shop: FlaskClient) -> None:
    assert shop.post("/shop/cart/add", data={"item_id": "GONE-1"}).status_code == 404


def test_order_becomes_a_purchase_once(shop: FlaskClient) -> None:
    add(shop, "LAMP-1")
    add(shop, "BULB-1", 2)
    data_of(shop, "/cart")
    assert named(data_of(shop, "/checkout")["pushes"])["begin_checkout"]["value"] == 59.7
    assert shop.post("/shop/checkout", data={"name": "Ana"}).headers["Location"] == "/shop/thanks"
    purchase = named(data_of(shop, "/thanks")["pushes"])["purchase"]
    assert (purchase["transaction_id"], purchase["value"], purchase["currency"]) == ("T-1", 59.7, "EUR")
    assert [item["item_id"] for item in purchase["items"]] == ["LAMP-1", "BULB-1"]
    assert data_of(shop, "/thanks")["pushes"] == []
    assert data_of(shop, "/cart")["pushes"] == []


def test_nothing_to_check_out_leads_to_the_cart(shop: FlaskClient) -> None:
    assert shop.get("/shop/checkout").headers["Location"] == "/shop/cart"
    assert shop.post("/shop/checkout").headers["Location"] == "/shop/cart"
    assert shop.get("/shop/thanks").headers["Location"] == "/shop/"


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


def test_full_cart_fits_into_a_cookie(shop: FlaskClient) -> None:
    for product in PRODUCTS:
        add(shop, product.item_id, 9)
    shop.post("/shop/checkout")
    cookie = shop.get_cookie("demo_shop", path="/shop")
    assert cookie is not None
    assert len(cookie.value) < 4000
    assert len(named(data_of(shop, "/thanks")["pushes"])["purchase"]["items"]) == len(PRODUCTS)


def test_two_workers_read_each_others_cookies() -> None:
    assert create_app("pk_a").secret_key == create_app("pk_a").secret_key != create_app("pk_b").secret_key


def test_picture_is_an_image(shop: FlaskClient) -> None:
    answer = shop.get("/shop/pictures/LAMP-1.svg")
    assert answer.mimetype == "image/svg+xml"
    assert "max-age=3600" in answer.headers["Cache-Control"]
