from xml.etree import ElementTree

from demo.catalogue import BY_ID, PRODUCTS
from demo.editorial import STORIES
from demo.feed import google_feed
from demo.shop import create_app

G = "{http://base.google.com/ns/1.0}"


def items(feed: str) -> dict[str, dict[str, str]]:
    found = {}
    for item in ElementTree.fromstring(feed).iter("item"):
        row = {child.tag.removeprefix(G): child.text or "" for child in item}
        found[row["id"]] = row
    return found


def test_has_all_products_and_what_the_shop_has_to_say() -> None:
    found = items(google_feed("https://shop.example/shop"))
    assert found.keys() == {*BY_ID, "autumn-light", *STORIES}
    lamp = found["LAMP-1"]
    assert (lamp["price"], lamp["availability"], lamp["product_type"]) == ("39.90 EUR", "in_stock", "light")
    assert (lamp["link"], lamp["title"]) == ("https://shop.example/shop/p/LAMP-1", "Table lamp Duna")
    assert found["autumn-light"]["kind"] == "promotion"
    assert {found[slug]["kind"] for slug in STORIES} == {"editorial"}


def test_says_what_is_used_up() -> None:
    found = items(google_feed("https://shop.example"))
    used_up = {item_id for item_id, row in found.items() if row.get("consumable") == "yes"}
    assert {"BEANS-1", "BULB-1", "CANDLE-1"} <= used_up
    assert not used_up & {"PHONE-1", "LAMP-1", "KNIFE-1"}


def test_everything_earns_something_and_accessories_more_of_it() -> None:
    share = {product.item_id: 1 - product.cost / product.price for product in PRODUCTS}
    assert all(0 < each < 1 for each in share.values())
    assert share["CASE-1"] > 3 * share["PHONE-1"]


def test_the_shop_has_it_at_an_address() -> None:
    client = create_app("pk_demo").test_client()
    answer = client.get("/feed.xml")
    assert answer.mimetype == "application/xml"
    found = items(answer.text)
    assert client.get(found["LAMP-1"]["link"]).status_code == 200
    assert client.get(found["LAMP-1"]["image_link"]).status_code == 200
