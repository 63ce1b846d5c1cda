"""What the demo shop sells: data only, the same in the shop, in its pictures and for its simulated shoppers.

The products are in products.json, shelf by shelf, the popular ones first.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, Literal

__all__ = ["BY_ID", "CATEGORIES", "CURRENCY", "PRODUCTS", "SHELVES", "Category", "Product", "search"]

CURRENCY: Final = "EUR"


@dataclass(frozen=True)
class Category:
    """A shelf of the shop. `slug` is its part of the address; `face` is the product whose picture stands for it.

    told_by: how product pages of the shelf say what they show, as if three generations of a shop stood side by side.
    """

    slug: str
    name: str
    line: str
    face: str
    told_by: Literal["data_layer", "json_ld", "microdata"] = "data_layer"


@dataclass(frozen=True)
class Product:
    """One thing for sale. price, cost: in EUR. colours: main, dark and accent. companions: bought along with it.

    consumable: used up, and bought again.
    """

    item_id: str
    name: str
    category: str
    brand: str
    price: Decimal
    cost: Decimal
    description: str
    colours: tuple[str, str, str]
    companions: tuple[str, ...] = ()
    consumable: bool = False


CATEGORIES: Final[Sequence[Category]] = (
    Category("light", "Light", "Lamps that know when to stay in the background.", "LAMP-1"),
    Category("phones", "Phones & sound", "Small electronics, and what keeps them alive.", "EARS-1"),
    Category("coffee", "Coffee", "From the bean to the last sip.", "MOKA-1"),
    Category("travel", "Travel", "For the weekend, and for the long way home.", "PACK-1"),
    Category("desk", "Desk", "Paper, ink and a tidy place for both.", "NOTE-1"),
    Category("kitchen", "Kitchen", "Good edges, heavy pans, and something for your own clothes.", "PAN-1"),
    Category("living", "Living", "Wool, wax and clay: what makes rooms out of walls.", "VASE-1", "json_ld"),
    Category("balcony", "Balcony", "Two square metres of outdoors, well spent.", "POT-1", "microdata"),
)

_COLOURS: Final[Mapping[str, tuple[str, str, str]]] = {
    "blue": ("#3d6fb4", "#1f3d6b", "#f2b544"),
    "teal": ("#2f9c95", "#17524f", "#ffd37a"),
    "coral": ("#e4694d", "#7d2d1e", "#ffe0b5"),
    "sand": ("#d9a65b", "#6e4a1c", "#fff1d0"),
    "ink": ("#4a5673", "#222a3d", "#f0c24b"),
    "green": ("#6a9a58", "#2f4f28", "#f5dd8a"),
    "plum": ("#8d5a97", "#472750", "#f7c6a3"),
}


def _product(row: Mapping[str, Any]) -> Product:
    money = {"price": Decimal(row["price"]), "cost": Decimal(row["cost"])}
    return Product(**{**row, **money, "colours": _COLOURS[row["colours"]], "companions": tuple(row["companions"])})


PRODUCTS: Final[Sequence[Product]] = tuple(
    _product(row) for row in json.loads(Path(__file__).with_name("products.json").read_text(encoding="utf-8"))
)
BY_ID: Final[Mapping[str, Product]] = {product.item_id: product for product in PRODUCTS}
SHELVES: Final[Mapping[str, Sequence[Product]]] = {
    shelf.slug: [product for product in PRODUCTS if product.category == shelf.slug] for shelf in CATEGORIES
}


def search(term: str) -> list[Product]:
    """Products in whose name, brand, category or description every word of the term occurs; none for an empty term."""
    words = term.lower().split()
    if not words:
        return []
    return [product for product in PRODUCTS if all(word in _text(product) for word in words)]


def _text(product: Product) -> str:
    return f"{product.name} {product.brand} {product.category} {product.description}".lower()
