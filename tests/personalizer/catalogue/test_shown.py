from zoneinfo import ZoneInfo

from personalizer.catalogue.item import CatalogueItem, merged_item
from personalizer.catalogue.rows import checked_row
from personalizer.catalogue.shown import shown, written

ITEM = CatalogueItem(
    name="Lamp", url="https://shop.example/p", image="https://shop.example/i.jpg", currency="EUR", price_micros=39_900_000,
    sale_price_micros=29_950_000, sale_from_ms=1_795_734_000_000, sale_until_ms=1_796_079_540_000, cost_micros=20_000_001,
    availability="in_stock", categories="Light > Lamps", brand="Lumo", variant_of="L", kind="product", consumable=False,
    placements=("cart",), excluded_placements=("home",), expires_ms=1_798_757_999_000, added_ms=1_793_487_600_000,
)  # fmt: skip


def test_what_is_shown_can_be_sent_back() -> None:
    row = checked_row(shown("LAMP-1", ITEM), ZoneInfo("Asia/Tokyo"))
    assert (row.item_id, merged_item(None, row.said)) == ("LAMP-1", ITEM)


def test_what_nobody_said_is_not_shown() -> None:
    assert shown("A", CatalogueItem()) == {"id": "A"}
    assert shown("A", CatalogueItem(removed=True, first_seen_ms=1000)) == {
        "id": "A", "removed": True, "first_seen_at": "1970-01-01T00:00:01Z",
    }  # fmt: skip


def test_values_are_written_as_feeds_write_them() -> None:
    found = shown("LAMP-1", ITEM)
    assert (found["price"], found["sale_price"]) == ("39.90 EUR", "29.95 EUR")
    assert [written(found[name]) for name in ("consumable", "placements", "brand")] == ["no", "cart", "Lumo"]
