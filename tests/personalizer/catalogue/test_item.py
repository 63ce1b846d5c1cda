import numpy as np

from personalizer.catalogue.item import (
    CatalogueItem,
    decode_item,
    digest,
    encode_item,
    goods_of,
    item_facts,
    joined_facts,
    merged_item,
    usual_currency,
)
from personalizer.models.goods import NEVER
from personalizer.models.model import ItemFacts

LEARNED = ItemFacts("lamp", "Lamp", "Light", 30_000_000, "EUR", "http://shop.test/lamp", "http://shop.test/lamp.jpg")
ROW = CatalogueItem(
    name="Table lamp", categories="Light > Lamps", currency="EUR", price_micros=40_000_000, cost_micros=25_000_000,
    sale_price_micros=32_000_000, sale_from_ms=1_000, sale_until_ms=2_000, availability="in_stock", consumable=False,
)  # fmt: skip


def test_a_feed_wins_over_events_field_by_field() -> None:
    facts = item_facts("lamp", ROW, LEARNED)
    assert (facts.name, facts.category, facts.categories) == ("Table lamp", "Light", "Light > Lamps")
    assert (facts.price_micros, facts.margin_micros, facts.listed) == (40_000_000, 15_000_000, True)
    assert (facts.url, facts.image) == (LEARNED.url, LEARNED.image)


def test_what_a_feed_does_not_say_comes_from_events() -> None:
    facts = item_facts("lamp", CatalogueItem(availability="out_of_stock"), LEARNED)
    assert (facts.name, facts.category, facts.price_micros, facts.currency) == ("Lamp", "Light", 30_000_000, "EUR")
    assert facts.availability == "out_of_stock"


def test_a_sale_lowers_price_and_margin_between_its_dates() -> None:
    facts = item_facts("lamp", ROW, LEARNED)
    before, during, after = (facts.at(now) for now in (999, 1_000, 2_000))
    assert (before.price_micros, during.price_micros, after.price_micros) == (40_000_000, 32_000_000, 40_000_000)
    assert (during.margin_micros, during.list_price) == (7_000_000, facts.list_price)


def test_a_removed_item_is_not_in_stock_whatever_events_say() -> None:
    assert item_facts("lamp", CatalogueItem(removed=True), LEARNED).availability == "out_of_stock"


def test_items_of_feed_and_events_come_in_the_order_of_their_bytes() -> None:
    found = joined_facts([LEARNED], [("zug", ROW), ("Zug", ROW), ("éclair", ROW)])
    assert [facts.item_id for facts in found] == ["Zug", "lamp", "zug", "éclair"]
    assert [facts.listed for facts in found] == [True, False, True, True]


def test_an_item_survives_its_row() -> None:
    row = encode_item(ROW)
    assert decode_item(row) == ROW
    assert digest(row) == digest(bytes(row)) != digest(encode_item(CatalogueItem()))


def test_what_is_said_changes_only_what_it_names_and_brings_back() -> None:
    gone = merged_item(ROW, {}).__class__(name="Lamp", removed=True)
    assert merged_item(gone, {"availability": "in_stock"}) == CatalogueItem(name="Lamp", availability="in_stock")


def test_arrays_say_what_facts_say() -> None:
    goods = goods_of([item_facts("lamp", ROW), ItemFacts("rug", "Rug", "", None, "", "", "")], digests={"lamp": 7})
    assert goods.price[0] == 40
    assert goods.cost[0] == 25
    assert np.isnan(goods.price[1])
    assert (goods.sale_from_s.tolist(), goods.sale_until_s.tolist()) == ([1, 0], [2, NEVER])
    assert (goods.listed.tolist(), goods.digest.tolist(), goods.consumable.tolist()) == ([True, False], [7, 0], [0, -1])


def test_amounts_of_another_currency_are_not_compared() -> None:
    euros, yen = item_facts("lamp", ROW), ItemFacts("rug", "Rug", "", 5_000_000_000, "JPY", "", "")
    assert usual_currency([euros, yen, euros]) == "EUR"
    goods = goods_of([euros, yen], currency="EUR")
    assert (goods.price[0], goods.cost[0]) == (40, 25)
    assert np.isnan(goods.price[1])
    assert usual_currency([]) == ""
