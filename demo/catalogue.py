"""What the demo shop sells: data only, the same in the shop, in its pictures and for its simulated shoppers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

__all__ = ["BY_ID", "CATEGORIES", "CURRENCY", "PRODUCTS", "Category", "Product", "search"]

CURRENCY: Final = "EUR"


@dataclass(frozen=True)
class Category:
    """A shelf of the shop. `slug` is its part of the address."""

    slug: str
    name: str
    line: str


@dataclass(frozen=True)
class Product:
    """One thing for sale. `price` in EUR; `colours` are main, dark and accent; `companions` are bought along with it."""

    item_id: str
    name: str
    category: str
    brand: str
    price: Decimal
    description: str
    colours: tuple[str, str, str]
    companions: tuple[str, ...] = ()


CATEGORIES: Final[Sequence[Category]] = (
    Category("light", "Light", "Lamps that know when to stay in the background."),
    Category("phones", "Phones & sound", "Small electronics, and what keeps them alive."),
    Category("coffee", "Coffee", "From the bean to the last sip."),
    Category("travel", "Travel", "For the weekend, and for the long way home."),
    Category("desk", "Desk", "Paper, ink and a tidy place for both."),
)

_BLUE = ("#3d6fb4", "#1f3d6b", "#f2b544")
_TEAL = ("#2f9c95", "#17524f", "#ffd37a")
_CORAL = ("#e4694d", "#7d2d1e", "#ffe0b5")
_SAND = ("#d9a65b", "#6e4a1c", "#fff1d0")
_INK = ("#4a5673", "#222a3d", "#f0c24b")
_GREEN = ("#6a9a58", "#2f4f28", "#f5dd8a")
_PLUM = ("#8d5a97", "#472750", "#f7c6a3")


def _product(
    item_id: str,
    name: str,
    category: str,
    brand: str,
    price: str,
    description: str,
    colours: tuple[str, str, str],
    companions: tuple[str, ...] = (),
) -> Product:
    return Product(item_id, name, category, brand, Decimal(price), description, colours, companions)


PRODUCTS: Final[Sequence[Product]] = (
    _product(
        "LAMP-1", "Table lamp Duna", "light", "Lumo", "39.90",
        "A linen shade over a turned foot. Warm enough to read by, calm enough to fall asleep beside.",
        _SAND, ("BULB-1", "SHADE-1"),
    ),
    _product(
        "LAMP-2", "Floor lamp Torre", "light", "Lumo", "119.00",
        "A slim steel stem and a wide shade: the light of a whole corner, from one foot on the floor.",
        _INK, ("BULB-1",),
    ),
    _product(
        "LAMP-3", "Pendant Campana", "light", "Norrsken", "84.50",
        "A bell of spun metal for above the table. Hangs on two metres of woven cable.",
        _TEAL, ("BULB-1",),
    ),
    _product(
        "BULB-1", "LED bulbs E27, two", "light", "Norrsken", "9.90",
        "Two warm-white bulbs, 806 lumen each, dimmable, and made to last fifteen thousand hours.",
        _SAND,
    ),
    _product(
        "SHADE-1", "Lamp shade Lino", "light", "Lumo", "18.50",
        "A spare shade of washed linen for Duna and for most table lamps with an E27 ring.",
        _CORAL,
    ),
    _product(
        "PHONE-1", "Phone Uno", "phones", "Halden", "449.00",
        "A phone with a battery for two days, a camera that is good at dusk, and nothing you never asked for.",
        _BLUE, ("CASE-1", "GLASS-1", "CHARGE-1"),
    ),
    _product(
        "CASE-1", "Phone case Concha", "phones", "Halden", "24.90",
        "A soft case with a raised rim for Phone Uno. Survives the kitchen floor.",
        _CORAL,
    ),
    _product(
        "GLASS-1", "Screen glass for Uno", "phones", "Halden", "14.90",
        "Tempered glass with a frame that puts it on straight, even at the first try.",
        _TEAL,
    ),
    _product(
        "CHARGE-1", "Charger 30 W", "phones", "Voltano", "29.00",
        "One plug the size of a matchbox, two sockets, and a cable that does not tangle.",
        _INK,
    ),
    _product(
        "EARS-1", "Earbuds Silvo", "phones", "Voltano", "89.00",
        "Small, light, and quiet on the train. Seven hours a charge, and four more charges in the box.",
        _GREEN, ("CHARGE-1",),
    ),
    _product(
        "MOKA-1", "Espresso pot, 3 cups", "coffee", "Brasa", "34.90",
        "The eight-sided classic of brushed aluminium: five minutes on the stove, three small strong cups.",
        _INK, ("BEANS-1", "CUPS-1"),
    ),
    _product(
        "GRIND-1", "Hand grinder Molino", "coffee", "Brasa", "59.00",
        "Steel burrs, a beech handle, and a click for every step from espresso to French press.",
        _SAND, ("BEANS-1",),
    ),
    _product(
        "BEANS-1", "Coffee beans, 1 kg", "coffee", "Finca Alta", "21.50",
        "Washed arabica from small farms, roasted medium: cocoa, orange, and a long finish.",
        _CORAL,
    ),
    _product(
        "CUPS-1", "Espresso cups, set of 3", "coffee", "Barro", "26.00",
        "Glazed by hand, so that no two are alike. They stack, and the dishwasher may have them.",
        _TEAL,
    ),
    _product(
        "KETTLE-1", "Gooseneck kettle", "coffee", "Brasa", "64.00",
        "A narrow spout for a slow pour, and a thermometer in the lid.",
        _PLUM, ("BEANS-1",),
    ),
    _product(
        "PACK-1", "Backpack Sierra 28 l", "travel", "Andar", "98.00",
        "One big room, one flat pocket for the laptop, and straps that forget the weight.",
        _GREEN, ("CUBES-1", "BOTTLE-1"),
    ),
    _product(
        "BOTTLE-1", "Steel bottle 0.7 l", "travel", "Andar", "27.50",
        "Keeps tea hot till noon and water cold till evening. The lid does not leak; we tried.",
        _BLUE,
    ),
    _product(
        "JACKET-1", "Rain jacket Niebla", "travel", "Andar", "139.00",
        "Three layers, taped seams, a hood with a brim, and it folds into its own pocket.",
        _SAND, ("PACK-1",),
    ),
    _product(
        "CUBES-1", "Packing cubes, set of 3", "travel", "Rumbo", "32.00",
        "Shirts here, socks there, and the last one for whatever the holiday was for.",
        _CORAL,
    ),
    _product(
        "PILLOW-1", "Travel pillow Nube", "travel", "Rumbo", "22.90",
        "Memory foam that holds the head, not the neck. The cover comes off for the wash.",
        _PLUM,
    ),
    _product(
        "PEN-1", "Fountain pen Pluma", "desk", "Tinta", "48.00",
        "A steel nib with a little spring in it, in a body of resin. Writes at once, even after a week.",
        _BLUE, ("INK-1", "NOTE-1"),
    ),
    _product(
        "INK-1", "Ink Mar, 50 ml", "desk", "Tinta", "12.50",
        "A blue that dries to the colour of deep water. Kind to pens and to paper.",
        _TEAL,
    ),
    _product(
        "NOTE-1", "Notebook A5, dotted", "desk", "Hoja", "16.90",
        "Two hundred pages of paper that ink does not bleed through, bound so that it lies flat.",
        _CORAL,
    ),
    _product(
        "MAT-1", "Desk mat of felt", "desk", "Hoja", "36.00",
        "Grey wool felt with a cork back: quiet under the keyboard, soft under the wrist.",
        _GREEN, ("NOTE-1",),
    ),
)  # fmt: skip

BY_ID: Final[Mapping[str, Product]] = {product.item_id: product for product in PRODUCTS}


def search(term: str) -> list[Product]:
    """Products in whose name, brand, category or description every word of the term occurs; none for an empty term."""
    words = term.lower().split()
    if not words:
        return []
    return [product for product in PRODUCTS if all(word in _text(product) for word in words)]


def _text(product: Product) -> str:
    return f"{product.name} {product.brand} {product.category} {product.description}".lower()
