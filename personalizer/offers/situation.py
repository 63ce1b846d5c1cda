"""What is known when an offer is decided: the question, and the visitor's live profile in the model's numbers. Pure."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from itertools import islice
from typing import Final, Literal

from msgspec import Struct

from personalizer.models.model import UNKNOWN, Model, find
from schema.profile import VisitorProfile

__all__ = [
    "NOT_KNOWN", "Candidates", "Purpose", "Purposes", "Question", "Reason", "Situation", "Viewed", "interests_of", "situate",
]  # fmt: skip

PRODUCT_PAGE: Final = "product"
MAX_INTERESTS: Final = 3
LATEST_VIEWS: Final = 8
# A cart that lay still so long, or that an earlier visit left, was left behind.
CART_LEFT_MS: Final = 3_600_000
REST_MS: Final = 7 * 24 * 3_600_000  # for so long an offer rests that was seen too often in vain
Purpose = Literal["inform", "browse", "buy"]
# How likely (inform, browse, buy) is what the visit is for; together 1.
Purposes = tuple[float, float, float]
NOT_KNOWN: Final[Purposes] = (0.0, 1.0, 0.0)


class Reason(StrEnum):
    """Why something is offered: the source it came from."""

    NEXT_ITEM = "next_item"
    BOUGHT_TOGETHER = "bought_together"
    VIEWED_TOGETHER = "viewed_together"
    VIEWED_NOT_BOUGHT = "viewed_not_bought"
    ABANDONED_CART = "abandoned_cart"
    REPLENISHMENT = "replenishment"
    CATEGORY_BEST_SELLER = "category_best_seller"
    BEST_SELLER = "best_seller"
    NEW_ARRIVAL = "new_arrival"
    PROMOTION = "promotion"
    EDITORIAL = "editorial"
    SUBSCRIPTION = "subscription"


class Candidates(Struct, frozen=True):
    """Items that could be offered, as one source sees them: each once.

    strengths: of each item, in [0, 1], how sure that source is. because: the items that led there; None when none did.
    """

    reason: Reason
    items: Sequence[int]
    strengths: Sequence[float]
    because: Sequence[int] | None = None


class Viewed(Struct, frozen=True, gc=False):
    """An item that the visitor looked at, and how long ago."""

    item: int
    views: int
    age_s: float


class Question(Struct, frozen=True):
    """What is asked. category: of the page, by name, for pages that show no item.

    purposes: what the visit is for, as far as anybody knows. cap: seen so often without a click, or dismissed, an
    offer rests; 0: never.
    """

    placement: str = "default"
    item_id: str | None = None
    category: str | None = None
    limit: int = 5
    purposes: Purposes = NOT_KNOWN
    cap: int = 0


class Situation(Struct, frozen=True):
    """Where an offer is asked for, and what is live about the visitor; items that the model does not know are left out.

    page_item: the item on the page or UNKNOWN; page_category: the page's category or UNKNOWN. interests: categories of the
    page, the cart and the latest views, in this order, each once. cart: newest line last.
    cart_age_s: since its last change. left: the cart was left by an earlier visit. viewed: newest first.
    bought: item → seconds since its newest purchase, newest first. ignored: items whose offers were lately seen too
    often, or dismissed. limit: how many offers are asked for.
    """

    placement: str
    page_item: int = UNKNOWN
    page_category: int = UNKNOWN
    interests: tuple[int, ...] = ()
    cart: tuple[int, ...] = ()
    cart_age_s: float = 0.0
    left: bool = False
    viewed: tuple[Viewed, ...] = ()
    bought: Mapping[int, float] = {}
    ignored: frozenset[int] = frozenset()
    purposes: Purposes = NOT_KNOWN
    now_s: int = 0
    limit: int = 5


def situate(model: Model, profile: VisitorProfile | None, asked: Question, now_ms: int) -> Situation:
    """Translate. Without an item_id a product page is taken to show the item that was viewed last."""
    viewed = profile.viewed[::-1] if profile else []
    cart = [line.item_id for line in profile.cart.lines] if profile else []
    orders = sorted(profile.orders, key=lambda order: -order.bought_at) if profile else []
    bought = [(line.item_id, order.bought_at) for order in orders for line in order.items]
    ignored = _ignored(profile, asked.cap, now_ms) if profile else []
    item_id = asked.item_id
    if item_id is None and asked.placement.startswith(PRODUCT_PAGE) and viewed:
        item_id = viewed[0].item_id
    page = [] if item_id is None else [item_id]
    # One search for all: a search costs the same for one name as for fifty.
    asked_for = [*page, *cart, *[entry.item_id for entry in viewed], *[name for name, _ in bought], *ignored]
    numbers = iter(model.find_items(asked_for))
    page_item = next(numbers) if page else UNKNOWN
    page_category = _category(model, page_item, asked.category)
    in_cart = tuple([item for item in islice(numbers, len(cart)) if item != UNKNOWN])
    # `viewed` stands first: once it is at its end, no number is taken that belongs to what was bought.
    seen = tuple(
        [
            Viewed(item, entry.views, max(0.0, (now_ms - entry.last_viewed_at) / 1000))
            for entry, item in zip(viewed, numbers, strict=False)
            if item != UNKNOWN
        ]
    )
    ages: dict[int, float] = {}
    for (_, bought_at), item in zip(bought, numbers, strict=False):
        ages.setdefault(item, max(0.0, (now_ms - bought_at) / 1000))
    ages.pop(UNKNOWN, None)
    return Situation(
        placement=asked.placement,
        page_item=page_item,
        page_category=page_category,
        interests=interests_of(model, page_category, in_cart, seen),
        cart=in_cart,
        cart_age_s=(now_ms - profile.cart.changed_at) / 1000 if profile else 0.0,
        left=_was_left(profile, now_ms),
        viewed=seen,
        bought=ages,
        ignored=frozenset(numbers),
        purposes=asked.purposes,
        now_s=now_ms // 1000,
        limit=asked.limit,
    )


def interests_of(model: Model, page_category: int, cart: Sequence[int], viewed: Sequence[Viewed]) -> tuple[int, ...]:
    """The first three categories of the page, the cart's lines, newest first, and the latest views."""
    found = dict.fromkeys([page_category])
    for item in [*reversed(cart), *[entry.item for entry in viewed[:LATEST_VIEWS]]]:
        found[int(model.category_of[item])] = None
    found.pop(UNKNOWN, None)
    return tuple(found)[:MAX_INTERESTS]


def _category(model: Model, page_item: int, named: str | None) -> int:
    if named is not None:
        return find(model.categories, [named])[0]
    return UNKNOWN if page_item == UNKNOWN else int(model.category_of[page_item])


def _ignored(profile: VisitorProfile, cap: int, now_ms: int) -> list[str]:
    """What was lately offered in vain, so often or so clearly that it rests; seen once more after that, it rests again."""
    if not cap:
        return []
    return [
        offer.item_id
        for offer in profile.seen_offers
        if (offer.dismissed or offer.times >= cap) and now_ms - offer.last_seen_at < REST_MS
    ]


def _was_left(profile: VisitorProfile | None, now_ms: int) -> bool:
    if profile is None or not profile.cart.lines:
        return False
    changed_at = profile.cart.changed_at
    return now_ms - changed_at >= CART_LEFT_MS or (profile.session is not None and changed_at < profile.session.started_at)
