"""What every page has: the pixel, the question about cookies, and pushes kept for the next page."""

import html
import re
from urllib.parse import parse_qs, urlsplit

import pytest
from flask.testing import FlaskClient

from demo.catalogue import BY_ID
from tests.demo.pages import add, data_of, named

PIXEL = re.compile('<noscript><img class="pixel" src="([^"]*)"')


@pytest.mark.parametrize("path", ["/", "/c/light", "/p/LAMP-1", "/search?q=tea", "/cart", "/login", "/stories/first-cup"])
def test_every_page_has_a_pixel_that_names_it(shop: FlaskClient, path: str) -> None:
    found = PIXEL.search(shop.get("/shop" + path).text)
    assert found
    address = urlsplit(html.unescape(found[1]))
    named_page = {"key": ["pk_test"], "type": ["page_view"], "url": [f"http://localhost/shop{path}"]}
    assert (address.path, parse_qs(address.query)) == ("/o.gif", named_page)


def test_shop_asks_from_its_first_question_until_told_to_stop(shop: FlaskClient) -> None:
    def asks(path: str) -> tuple[bool, bool, bool]:
        page = shop.get("/shop" + path).text
        return 'data-consent="required"' in page, 'id="consent"' in page, PIXEL.search(page) is None

    assert asks("/") == (False, False, False)
    assert asks("/?consent=ask") == (True, True, True)
    assert asks("/p/LAMP-1") == (True, True, True)
    assert asks("/?consent=off") == (False, False, False)
    assert asks("/") == (False, False, False)


def test_asking_anew_is_said_once(shop: FlaskClient) -> None:
    assert data_of(shop, "/?consent=ask")["consent"] == {"asked": True, "anew": True}
    assert data_of(shop, "/")["consent"] == {"asked": True, "anew": False}


def test_what_happened_before_the_redirect_is_told_in_its_order(shop: FlaskClient) -> None:
    add(shop, "LAMP-1")
    add(shop, "BULB-1")
    pushes = data_of(shop, "/")["pushes"]
    assert [push["event"] for push in pushes] == ["add_to_cart", "add_to_cart", "view_promotion", "view_item_list"]
    assert named(pushes)["add_to_cart"]["value"] == float(BY_ID["BULB-1"].price)


def test_pages_use_both_forms_of_the_data_layer(shop: FlaskClient) -> None:
    home, shelf = data_of(shop, "/")["pushes"], data_of(shop, "/c/light")["pushes"]
    assert {type(push) for push in home} == {dict}
    assert {type(push) for push in shelf} == {list}


def test_listed_cards_carry_their_items(shop: FlaskClient) -> None:
    page, listed = shop.get("/shop/").text, data_of(shop, "/")["listed"]
    assert set(re.findall('data-select="([^"]*)"', page)) == set(listed)
