"""What is known when an offer is decided: the visitor's live profile in the model's own numbers. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from personalizer.models.model import UNKNOWN, Model
from schema.profile import VisitorProfile

__all__ = ["Candidate", "Reason", "Situation", "Viewed", "situate"]

PRODUCT_PAGE: Final = "product-detail"


class Reason(StrEnum):
    """Why something is offered."""

    BOUGHT_TOGETHER = "bought_together"
    VIEWED_TOGETHER = "viewed_together"
    VIEWED_NOT_BOUGHT = "viewed_not_bought"
    BEST_SELLER = "best_seller"


@dataclass(frozen=True)
class Candidate:
    """An item that could be offered. score in [0, 1]; `because`: the item that led here, UNKNOWN when none did."""

    item: int
    score: float
    reason: Reason
    because: int = UNKNOWN


@dataclass(frozen=True)
class Viewed:
    """An item that the visitor looked at, and how long ago."""

    item: int
    views: int
    age_s: float


@dataclass(frozen=True)
class Situation:
    """Where an offer is asked for, and what is live about the visitor; items that the model does not know are left out.

    page_item: the item on the page or UNKNOWN. cart: newest line last. viewed: newest first.
    """

    placement: str
    page_item: int = UNKNOWN
    cart: tuple[int, ...] = ()
    viewed: tuple[Viewed, ...] = ()
    bought: frozenset[int] = frozenset()


def situate(model: Model, profile: VisitorProfile | None, placement: str, item_id: str | None, now_ms: int) -> Situation:
    """Translate. Without an item_id a product page is taken to show the item that was viewed last."""
    viewed = profile.viewed[::-1] if profile else []
    cart = [line.item_id for line in profile.cart.lines] if profile else []
    bought = [line.item_id for order in profile.orders for line in order.items] if profile else []
    if item_id is None and placement == PRODUCT_PAGE and viewed:
        item_id = viewed[0].item_id
    page = [] if item_id is None else [item_id]
    # One search for all: a search costs the same for one name as for fifty.
    numbers = iter(model.find_items([*page, *cart, *(entry.item_id for entry in viewed), *bought]))
    page_numbers, cart_numbers = _take(numbers, page), _take(numbers, cart)
    seen = [
        Viewed(item, entry.views, max(0.0, (now_ms - entry.last_viewed_at) / 1000))
        for item, entry in zip(_take(numbers, viewed), viewed, strict=True)
        if item != UNKNOWN
    ]
    return Situation(
        placement=placement,
        page_item=page_numbers[0] if page_numbers else UNKNOWN,
        cart=tuple(item for item in cart_numbers if item != UNKNOWN),
        viewed=tuple(seen),
        bought=frozenset(numbers) - {UNKNOWN},
    )


def _take(numbers: Iterator[int], counted: Sequence[object]) -> list[int]:
    return [next(numbers) for _ in counted]
