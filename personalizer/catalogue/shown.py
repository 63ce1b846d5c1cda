"""An item of the catalogue as people and programs read it: the attributes of a feed, so that it could be sent back. Pure."""

from datetime import UTC, datetime
from decimal import Decimal

from personalizer.catalogue.item import CatalogueItem
from schema.events import from_micros

__all__ = ["shown", "written"]


def shown(item_id: str, item: CatalogueItem) -> dict[str, object]:
    """What is said of an item, by attribute; without what nobody said. Instants in UTC."""
    sale = None
    if item.sale_from_ms is not None and item.sale_until_ms is not None:
        sale = f"{_instant(item.sale_from_ms)}/{_instant(item.sale_until_ms)}"
    found: dict[str, object] = {
        "id": item_id,
        "title": item.name,
        "link": item.url,
        "image_link": item.image,
        "price": _money(item.price_micros, item.currency),
        "sale_price": _money(item.sale_price_micros, item.currency),
        "sale_price_effective_date": sale,
        "cost_of_goods_sold": _money(item.cost_micros, item.currency),
        "availability": item.availability,
        "product_type": item.categories,
        "brand": item.brand,
        "item_group_id": item.variant_of,
        "kind": item.kind,
        "consumable": item.consumable,
        "placements": list(item.placements) if item.placements else None,
        "excluded_placements": list(item.excluded_placements) if item.excluded_placements else None,
        "expiration_date": None if item.expires_ms is None else _instant(item.expires_ms),
        "added_at": None if item.added_ms is None else _instant(item.added_ms),
        "first_seen_at": _instant(item.first_seen_ms) if item.first_seen_ms else None,
        "removed": item.removed or None,
    }
    return {name: value for name, value in found.items() if value is not None}


def written(value: object) -> str:
    """A value of shown() for a terminal."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _money(micros: int | None, currency: str | None) -> str | None:
    return None if micros is None else f"{_plain(from_micros(micros))} {currency or ''}".strip()


def _plain(amount: Decimal) -> str:
    return f"{amount:f}"


def _instant(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat().replace("+00:00", "Z")
