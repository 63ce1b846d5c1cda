"""What the shop has to say beside its products: the promotion of the season, and stories to read. Data only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

__all__ = ["ADS", "AUTUMN", "STORIES", "Ad", "Promotion", "Story"]


@dataclass(frozen=True)
class Promotion:
    """A banner that leads to a category. Its response code is `<slot>.<creative>`: where it hung, and which version."""

    promotion_id: str
    name: str
    line: str
    category: str
    creative: str

    def code(self, slot: str) -> str:
        """The response code of the banner in one place of the shop."""
        return f"{slot}.{self.creative}"

    def as_ga4(self, slot: str) -> dict[str, object]:
        """The parameters of view_promotion and select_promotion."""
        return {
            "promotion_id": self.promotion_id,
            "promotion_name": self.name,
            "creative_name": self.creative,
            "creative_slot": slot,
        }


@dataclass(frozen=True)
class Ad:
    """A space that a brand pays for; it leads to what the shop has of it. `face` is the product in the picture."""

    ad_id: str
    brand: str
    line: str
    face: str


@dataclass(frozen=True)
class Story:
    """Something to read, and the products that it is about. `face` is the product whose picture stands for it."""

    slug: str
    title: str
    teaser: str
    paragraphs: Sequence[str]
    item_ids: Sequence[str]
    face: str


AUTUMN: Final = Promotion(
    promotion_id="autumn-light",
    name="Autumn light",
    line="The evenings come early now. Lamps that are kind to them, from €39.90.",
    category="light",
    creative="autumn",
)

_BRANDS: Final = {
    "lumo": Ad("lumo-repair", "Lumo", "Every lamp comes apart with one screwdriver, and we have all the parts.", "LAMP-4"),
    "voltano": Ad("voltano-trade", "Voltano", "Bring us the old one: we take it apart better than you would.", "SPEAK-1"),
    "barro": Ad("barro-seconds", "Barro", "Fired in Talavera, thrown by hand, and no two of them agree.", "BOWL-1"),
    "andar": Ad("andar-mend", "Andar", "Zips, straps, seams: mended for as long as you walk.", "PACK-1"),
    "tinta": Ad("tinta-letters", "Tinta", "Somebody would be glad to hear from you. By hand.", "INK-1"),
}
# By category: one that the shelf does not sell by itself, now and then.
ADS: Final[Mapping[str, Ad]] = {
    "light": _BRANDS["lumo"],
    "phones": _BRANDS["voltano"],
    "coffee": _BRANDS["barro"],
    "travel": _BRANDS["andar"],
    "desk": _BRANDS["tinta"],
    "kitchen": _BRANDS["barro"],
    "living": _BRANDS["lumo"],
    "balcony": _BRANDS["barro"],
}

_STORIES: Final = (
    Story(
        "first-cup",
        "The first cup",
        "Five minutes, one flame, no machine: coffee as it was meant to be.",
        (
            "Fill the lower part with water up to the valve, no further. Fill the basket with coffee, and leave it loose: "
            "steam wants to find its own way.",
            "Then a small flame, and the lid open. When the coffee comes, it should come like honey. The moment it turns "
            "pale, take the pot away; what follows is only hot water that has been in bad company.",
            "Warm the cups. This is not a matter of taste: a cold cup takes ten degrees from three sips.",
        ),
        ("MOKA-1", "BEANS-1", "GRIND-1", "CUPS-1"),
        "CUPS-1",
    ),
    Story(
        "window-herbs",
        "A garden of one window",
        "Four pots, a hand's depth of soil, and dinner tastes of something.",
        (
            "Herbs forgive almost everything but two things: a dark corner, and feet that stand in water. A window that "
            "sees the sun for half a day, and a pot that can breathe, are most of the work.",
            "Sow thickly, cover thinly. Basil wants warmth and company, thyme wants to be left alone, and chives come back "
            "every year as if nothing had happened.",
            "Water in the morning, at the root. And cut often: what is cut grows.",
        ),
        ("POT-1", "SEEDS-1", "SOIL-1", "CAN-1"),
        "SEEDS-1",
    ),
)
STORIES: Final[Mapping[str, Story]] = {story.slug: story for story in _STORIES}
