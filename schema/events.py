"""The wire: one batch of observations as a browser or a server sends it to POST /o.

Decoding with these types is the first half of validation (shape, types, lengths); what depends on the clock, the key or on
other fields is checked in tracker.beacon. Unknown fields are refused for a batch and an event (custom ones belong
into `properties`) and ignored for an item, because GA4 lets shops add their own item parameters.

Nothing here refers back to what it is in, so Python's collector of cycles need not look at it (gc=False).
"""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Final, Literal, get_args

from msgspec import UNSET, Meta, Struct, UnsetType

MAX_BODY_BYTES: Final = 512 * 1024
MAX_FEED_BYTES: Final = 32 * 1024 * 1024  # of a product feed over HTTP, as it comes: mostly with gzip
MAX_EVENT_BYTES: Final = 32 * 1024
MAX_EVENTS_PER_BATCH: Final = 1000
MAX_ITEMS_PER_EVENT: Final = 200
MAX_PROPERTIES: Final = 25
MAX_QUANTITY: Final = 100_000
# Above this a number is a mistake, and a sum of it would leave the exact range of a Lua number in micro-units.
MAX_MONEY: Final = Decimal(1_000_000_000)
MICROS: Final = 1_000_000  # money is Decimal outside and whole micro-units of the currency inside Redis

EventType = Literal[
    "page_view",
    "view_item_list",
    "select_item",
    "view_item",
    "search",
    "add_to_cart",
    "remove_from_cart",
    "view_cart",
    "begin_checkout",
    "add_shipping_info",
    "add_payment_info",
    "purchase",
    "refund",
    "view_promotion",
    "select_promotion",
    "login",
    "sign_up",
    "generate_lead",
    "sync_cart",
    "faro_view",
    "faro_hover",
    "faro_click",
    "survey_answer",
    "consent",
    "offer_shown",
    "offer_clicked",
    "offer_dismissed",
    "user_engagement",
]
EVENT_TYPES: Final[tuple[str, ...]] = get_args(EventType)
# These say what is in the cart and mean nothing without items (GA4 asks for items there as well).
NEEDS_ITEMS: Final = frozenset({"view_item", "add_to_cart", "remove_from_cart", "purchase", "select_item"})
CART_CHANGES: Final = frozenset({"add_to_cart", "remove_from_cart", "sync_cart", "purchase"})

FaroKind = Literal["product", "category", "ad", "promotion", "editorial", "subscription"]
Identifier = Annotated[str, Meta(min_length=1, max_length=100)]
Label = Annotated[str, Meta(max_length=300)]
Url = Annotated[str, Meta(max_length=2048)]
CurrencyCode = Annotated[str, Meta(pattern="^[A-Z]{3}$")]
PropertyName = Annotated[str, Meta(min_length=1, max_length=50)]
PropertyValue = Annotated[str, Meta(max_length=500)] | int | float | bool
UserAgent = Annotated[str, Meta(max_length=500)]
Instant = Annotated[datetime, Meta(tz=True)]


class Page(Struct, forbid_unknown_fields=True, gc=False):
    """The page on which something happened."""

    url: Url = ""
    referrer: Url = ""
    title: Label = ""


class Content(Struct, forbid_unknown_fields=True, gc=False):
    """What a faro shows: a kind and the shop's own id of it."""

    kind: FaroKind
    id: Identifier


class Item(Struct, gc=False):
    """One line of a product event, with GA4's names. `price` is the unit price in major units; url and image are ours."""

    item_id: Identifier
    item_name: Label = ""
    item_brand: Label = ""
    item_category: Label = ""
    item_category2: Label = ""
    item_category3: Label = ""
    item_category4: Label = ""
    item_category5: Label = ""
    item_variant: Label = ""
    price: Decimal | None = None
    quantity: Annotated[int, Meta(ge=0, le=MAX_QUANTITY)] = 1
    discount: Decimal | None = None
    coupon: Label = ""
    index: int | None = None
    url: Url = ""
    image: Url = ""


class Event(Struct, forbid_unknown_fields=True, gc=False):
    """One observation. Times and ids are the client's; the session is given by the server."""

    event_id: Identifier
    type: EventType
    occurred_at: Instant
    page: Page | None = None
    customer_id: Identifier | None = None
    currency: CurrencyCode | None = None
    value: Decimal | None = None
    transaction_id: Identifier | None = None
    coupon: Label = ""
    shipping: Decimal | None = None
    tax: Decimal | None = None
    items: Annotated[list[Item], Meta(max_length=MAX_ITEMS_PER_EVENT)] = []
    content: Content | None = None
    response_code: Identifier | None = None
    decision_id: Identifier | None = None
    placement: Identifier | None = None
    search_term: Annotated[str, Meta(max_length=200)] = ""
    consent: Literal["granted", "denied"] | None = None
    properties: Annotated[dict[PropertyName, PropertyValue], Meta(max_length=MAX_PROPERTIES)] = {}


class Batch(Struct, forbid_unknown_fields=True, gc=False):
    """The body of POST /o. Without `visitor` the first-party cookie says who it is; without `key` the bearer does.

    `user_agent` is the visitor's browser as the shop's server saw it; it counts with the secret key only.
    """

    events: Annotated[list[Event], Meta(min_length=1, max_length=MAX_EVENTS_PER_BATCH)]
    key: Annotated[str, Meta(max_length=100)] | UnsetType = UNSET
    visitor: Identifier | UnsetType = UNSET
    sent_at: Instant | UnsetType = UNSET
    user_agent: UserAgent | UnsetType = UNSET


def to_micros(amount: Decimal | float) -> int:
    """Whole micro-units of the currency, rounded half-even; exact for |amount| up to MAX_MONEY."""
    return round(amount * MICROS)


def from_micros(micros: int) -> Decimal:
    """The amount in major units, without trailing zeros beyond two places: 39900000 → Decimal('39.90')."""
    amount = Decimal(micros) / MICROS
    cents = amount.quantize(Decimal("0.01"))
    return cents if cents == amount else amount
