from decimal import Decimal

from demo.basket import Line
from demo.catalogue import BY_ID
from demo.data_layer import as_ecommerce, as_gtag, item, money


def test_item_has_what_ga4_and_the_catalogue_need() -> None:
    assert item(Line(BY_ID["LAMP-1"], 2), "https://s.example/p", "https://s.example/i") == {
        "item_id": "LAMP-1",
        "item_name": "Table lamp Duna",
        "item_brand": "Lumo",
        "item_category": "light",
        "price": 39.9,
        "quantity": 2,
        "url": "https://s.example/p",
        "image": "https://s.example/i",
    }


def test_money_always_has_a_currency() -> None:
    assert money([], Decimal("9.90")) == {"currency": "EUR", "value": 9.9, "items": []}


def test_two_forms_carry_the_same() -> None:
    assert as_gtag("search", {"search_term": "pen"}) == ["event", "search", {"search_term": "pen"}]
    assert as_ecommerce("purchase", {"value": 1}) == {"event": "purchase", "ecommerce": {"value": 1}}
