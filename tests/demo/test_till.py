import json
import re
from typing import Any

import pytest
from flask.testing import FlaskClient

from demo.catalogue import PRODUCTS
from tests.demo.pages import add, data_of, named


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


def test_one_less_is_told_as_one(shop: FlaskClient) -> None:
    add(shop, "LAMP-1", 3)
    data_of(shop, "/cart")
    shop.post("/shop/cart/remove", data={"item_id": "LAMP-1", "quantity": "1"})
    pushes = named(data_of(shop, "/cart")["pushes"])
    assert [pushes[name]["items"][0]["quantity"] for name in ("remove_from_cart", "view_cart")] == [1, 2]
    shop.post("/shop/cart/remove", data={"item_id": "LAMP-1", "quantity": "99"})
    assert named(data_of(shop, "/cart")["pushes"])["remove_from_cart"]["items"][0]["quantity"] == 2


def test_more_than_the_cart_takes_is_not_told(shop: FlaskClient) -> None:
    add(shop, "LAMP-1", 8)
    add(shop, "LAMP-1", 5)
    add(shop, "LAMP-1", 1)
    pushes = data_of(shop, "/cart")["pushes"]
    added = [push["ecommerce"]["items"][0]["quantity"] for push in pushes if isinstance(push, dict)]
    assert added == [8, 1]


def test_cart_page_says_what_it_holds(shop: FlaskClient) -> None:
    assert data_of(shop, "/cart")["cart"] == []
    add(shop, "LAMP-1", 2)
    assert [(item["item_id"], item["quantity"]) for item in data_of(shop, "/cart")["cart"]] == [("LAMP-1", 2)]
    assert "cart" not in data_of(shop, "/")


def test_cart_outlives_the_browser_and_says_so_in_the_window(shop: FlaskClient) -> None:
    assert "Still in your cart" not in shop.get("/shop/").text
    add(shop, "LAMP-1", 2)
    add(shop, "BULB-1")
    cookie = shop.get_cookie("demo_shop", path="/shop")
    assert cookie is not None
    assert cookie.expires is not None
    window = shop.get("/shop/").text
    assert "Still in your cart</b>Table lamp Duna and 1 more, €89.70" in window


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
    assert purchase["shipping"] == 0
    assert [item["item_id"] for item in purchase["items"]] == ["LAMP-1", "BULB-1"]
    assert data_of(shop, "/thanks")["pushes"] == []
    assert data_of(shop, "/cart")["pushes"] == []


def test_nothing_to_check_out_leads_to_the_cart(shop: FlaskClient) -> None:
    assert shop.get("/shop/checkout").headers["Location"] == "/shop/cart"
    assert shop.post("/shop/checkout").headers["Location"] == "/shop/cart"
    assert shop.get("/shop/thanks").headers["Location"] == "/shop/"


def test_full_cart_fits_into_a_cookie(shop: FlaskClient) -> None:
    for product in PRODUCTS:
        add(shop, product.item_id, 9)
    shop.post("/shop/checkout")
    cookie = shop.get_cookie("demo_shop", path="/shop")
    assert cookie is not None
    assert len(cookie.value) < 4000
    assert len(named(data_of(shop, "/thanks")["pushes"])["purchase"]["items"]) == len(PRODUCTS)


def test_express_costs_what_the_form_says(shop: FlaskClient) -> None:
    add(shop, "LAMP-2")
    labels = re.findall(
        r'value="(\w+)"[^\n]*data-told="add_shipping_info"[^\n]*<b>(.*?)</b>', shop.get("/shop/checkout").text
    )
    assert dict(labels) == {"standard": "free", "express": "€9.90", "pickup": "free"}
    shop.post("/shop/checkout", data={"shipping": "express"})
    assert "Shipping €9.90, together <b>€128.90</b>" in shop.get("/shop/thanks").text
    shop.post("/shop/cart/add", data={"item_id": "LAMP-2"})
    shop.post("/shop/checkout", data={"shipping": "express"})
    assert named(data_of(shop, "/thanks")["pushes"])["purchase"]["shipping"] == 9.9


def test_checkout_carries_the_order_for_what_is_told_on_the_way(shop: FlaskClient) -> None:
    add(shop, "LAMP-1")
    found = re.search(r'<script type="application/json" id="ordered">(.*?)</script>', shop.get("/shop/checkout").text)
    assert found
    ordered: dict[str, Any] = json.loads(found[1])
    assert (ordered["value"], ordered["currency"], len(ordered["items"])) == (39.9, "EUR", 1)


def test_picks_beside_the_cart_are_not_in_it(shop: FlaskClient) -> None:
    add(shop, "BULB-1")
    listed = data_of(shop, "/cart")["listed"]
    assert "BULB-1" not in listed
    assert len(listed) >= 4
