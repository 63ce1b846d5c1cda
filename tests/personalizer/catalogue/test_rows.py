from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personalizer.catalogue.item import CatalogueItem, encode_item, merged_item
from personalizer.catalogue.rows import ATTRIBUTES, OTHERS, BadRow, attribute_name, checked_row

MADRID = ZoneInfo("Europe/Madrid")
DAY_MS = 24 * 3600 * 1000


def said(**values: object) -> dict[str, Any]:
    return dict(checked_row({"id": "LAMP-1", **values}, MADRID).said)


def reason(**values: object) -> str:
    with pytest.raises(BadRow) as error:
        checked_row({"id": "LAMP-1", **values}, MADRID)
    return str(error.value)


@pytest.mark.parametrize(
    "heading", ["image_link", "g:image_link", "Image link", "\ufeffimage-link ", "Image [image_link]", "image"]
)
def test_a_heading_is_read_as_people_write_it(heading: str) -> None:
    assert attribute_name(heading) == "image_link"


def test_a_whole_row_becomes_an_item() -> None:
    row = checked_row(
        {
            "id": " LAMP-1 ", "title": "Table lamp  Duna\n", "link": "https://shop.example/p/1?c=2&utm_source=x",
            "image_link": "https://shop.example/1.jpg", "price": "39.90 EUR", "sale_price": "29.90 EUR",
            "sale_price_effective_date": "2026-11-27T00:00+0100/2026-11-30T23:59+0100", "availability": "in stock",
            "product_type": "Light > Lamps>Table", "google_product_category": "2271", "brand": "Lumo",
            "item_group_id": "LAMP", "cost_of_goods_sold": "20.00 EUR", "kind": "product", "consumable": "no",
            "placements": "home-hero, cart", "expiration_date": "2026-12-31", "added_at": "2026-11-01", "gtin": "123",
        },
        MADRID,
    )  # fmt: skip
    assert row.item_id == "LAMP-1"
    assert merged_item(None, row.said) == CatalogueItem(
        name="Table lamp Duna", url="https://shop.example/p/1?c=2", image="https://shop.example/1.jpg", currency="EUR",
        price_micros=39_900_000, sale_price_micros=29_900_000, cost_micros=20_000_000, availability="in_stock",
        sale_from_ms=1795734000000, sale_until_ms=1796079540000, categories="Light > Lamps > Table", brand="Lumo",
        variant_of="LAMP", kind="product", consumable=False, placements=("home-hero", "cart"),
        expires_ms=1798757999000, added_ms=1793487600000,
    )  # fmt: skip


@pytest.mark.parametrize(
    "price",
    ["1.299,00 EUR", "39,90 EUR", "39,90", "1,299.00 EUR", "€39.90", "39.90 €", "EUR", "-1 EUR", "1e3 EUR", "39.90 XYZ",
     "39.90", "NaN EUR", "39.90 EUR 2", "1'299.00 CHF", "１２ EUR", True, [39.9], {"amount": 39.9}],
)  # fmt: skip
def test_a_price_in_another_form_is_refused_with_the_right_form(price: object) -> None:
    assert "such as 1299.00 EUR" in reason(price=price)
    assert reason(price=price).startswith("price: ")


@pytest.mark.parametrize(
    ("values", "micros"),
    [
        ({"price": "1299 JPY"}, 1_299_000_000), ({"price": "39.90eur"}, 39_900_000), ({"price": "0 EUR"}, 0),
        ({"price": Decimal("39.9"), "currency": "EUR"}, 39_900_000), ({"price": 40, "currency": "eur"}, 40_000_000),
        ({"price": "12.5", "currency": "EUR"}, 12_500_000), ({"price": Decimal("1E+2"), "currency": "EUR"}, 100_000_000),
    ],
)  # fmt: skip
def test_a_price_is_an_amount_with_its_currency(values: dict[str, object], micros: int) -> None:
    assert said(**values)["price_micros"] == micros


def test_a_price_that_is_too_large_is_a_mistake() -> None:
    assert "at most 1000000000" in reason(price="1000000001 EUR")


def test_amounts_of_a_row_are_of_one_currency() -> None:
    assert "EUR and USD" in reason(price="10 EUR", cost_of_goods_sold="5 USD")
    assert "EUR" in reason(price="10 EUR", margin="5 USD")


@pytest.mark.parametrize(
    ("margin", "cost"), [("4 EUR", 6_000_000), ("35%", 6_500_000), (4, 6_000_000), ("0 EUR", 10_000_000)]
)
def test_a_margin_is_kept_as_the_cost_that_remains(margin: object, cost: int) -> None:
    assert said(price="10 EUR", margin=margin)["cost_micros"] == cost


def test_a_margin_needs_a_price_and_is_less() -> None:
    assert "in the same row" in reason(margin="4 EUR")
    assert "at most the price" in reason(price="10 EUR", margin="11 EUR")


def test_a_sale_price_that_is_none_is_no_sale() -> None:
    assert said(price="10 EUR", sale_price="10 EUR")["sale_price_micros"] is None
    assert said(price="10 EUR", sale_price="9 EUR")["sale_price_micros"] == 9_000_000


def test_a_sale_of_days_lasts_to_the_end_of_the_last_one_in_the_shop_s_zone() -> None:
    found = said(sale_price_effective_date="2026-07-01/2026-07-02")
    assert found["sale_until_ms"] - found["sale_from_ms"] == 2 * DAY_MS - 1000
    assert found["sale_from_ms"] == 1782856800000  # 2026-06-30T22:00Z


def test_a_sale_without_dates_takes_earlier_dates_back() -> None:
    assert said(sale_price="9 EUR") | {} == {
        "sale_price_micros": 9_000_000, "currency": "EUR", "sale_from_ms": None, "sale_until_ms": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    "dates", ["2026-07-01", "2026-07-02/2026-07-01", "tomorrow/2026-07-01", "01.07.2026/02.07.2026", "/"]
)
def test_sale_dates_that_are_none_are_refused(dates: str) -> None:
    assert reason(sale_price_effective_date=dates).startswith("sale_price_effective_date: expected")


@pytest.mark.parametrize(
    ("word", "meant"),
    [("in stock", "in_stock"), ("In_Stock", "in_stock"), ("OUT OF STOCK", "out_of_stock"), ("preorder", "preorder"),
     ("pre-order", "preorder"), ("back order", "backorder"), ("https://schema.org/InStock", "in_stock"),
     ("http://schema.org/SoldOut", "out_of_stock"), ("available for order", "in_stock")],
)  # fmt: skip
def test_availability_is_read_as_shops_write_it(word: str, meant: str) -> None:
    assert said(availability=word)["availability"] == meant


def test_an_availability_that_nobody_knows_is_refused() -> None:
    assert (
        reason(availability="maybe") == "availability: expected in_stock, out_of_stock, preorder or backorder, got 'maybe'"
    )


@pytest.mark.parametrize(
    "link", ["javascript:alert(1)", "/p/1", "shop.example/p", "https://u:p@shop.example/", "https://a b/", 7]
)
def test_an_address_to_which_nobody_should_be_sent_is_refused(link: object) -> None:
    assert reason(link=link).startswith("link: expected an address")


def test_texts_are_unescaped_made_one_line_and_cut() -> None:
    assert said(title="Caf&amp;eacute; &amp; t&eacute;\t\x00x")["name"] == "Caf&eacute; & té x"
    assert len(said(title="x" * 10_000)["name"]) == 300


@pytest.mark.parametrize("item_id", [None, "", "  ", "x" * 101, "a\nb", "a\x00", 1.5, True, ["a"]])
def test_an_id_that_is_none_is_refused(item_id: object) -> None:
    with pytest.raises(BadRow, match=r"^id: expected"):
        checked_row({"id": item_id}, MADRID)


def test_a_number_may_be_an_id() -> None:
    assert checked_row({"id": 4711}, MADRID).item_id == "4711"


def test_google_s_category_counts_only_in_words_and_without_the_shop_s_own() -> None:
    assert "categories" not in said(google_product_category="2271")
    assert said(google_product_category="Home > Lamps")["categories"] == "Home > Lamps"
    assert said(google_product_category="Home > Lamps", product_type="Light")["categories"] == "Light"
    assert said(product_type=["Light > A", "Light > B"])["categories"] == "Light > A"


def test_what_is_empty_says_nothing_and_null_takes_back() -> None:
    assert said(title="", price=" ", availability="", consumable="", sale_price="") == {
        "sale_from_ms": None,
        "sale_until_ms": None,
    }
    assert said(brand=None, price=None, product_type=None, placements=None) == {
        "brand": None, "price_micros": None, "categories": None, "placements": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"),
    [("kind", "thing"), ("consumable", "maybe"), ("placements", "Home Hero"), ("placements", ["a"] * 51), ("placements", 7),
     ("expiration_date", "31.12.2026"), ("added_at", "2026-13-01"), ("availability_date", "soon"),
     ("item_group_id", "x" * 101), ("title", ["a"]), ("expiration_date", "9999-12-31T23:59:59-23:59")],
)  # fmt: skip
def test_a_value_in_another_form_is_refused_by_name(name: str, value: object) -> None:
    assert reason(**{name: value}).startswith(f"{name}: ")


FORMS = ["39.90 EUR", "in_stock", "2026-11-30", "2026-11-01/2026-11-30", "yes", "50%", "a>b", "https://shop.example/"]
TEXT = st.text("aZ0１é€<&;/:. ,-\x00\n\u2028\ud7ff", max_size=40) | st.sampled_from(FORMS)
VALUES = st.none() | st.booleans() | st.integers() | st.decimals() | TEXT | st.lists(TEXT | st.none(), max_size=3)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from([*ATTRIBUTES, *OTHERS]), VALUES))
def test_any_values_become_an_item_or_a_reason(values: dict[str, object]) -> None:
    try:
        row = checked_row(values, MADRID)
    except BadRow as error:
        told = str(error)
    else:
        told = ""
        assert 1 <= len(row.item_id) <= 100
        assert encode_item(merged_item(None, row.said))
    assert len(told) < 400
