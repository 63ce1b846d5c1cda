"""How a shopper walks through the shop: events and the pauses between them. Pure; chance and time are arguments."""

import random
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from demo import basket, paths
from demo.basket import Line
from demo.catalogue import BY_ID, CATEGORIES, CURRENCY, Product
from demo.data_layer import item, money
from demo.editorial import AUTUMN
from demo.people import SHOP_URL, Shopper, new_shopper

__all__ = ["Batch", "Event", "Step", "history", "instant", "new_event", "to_the_till", "walk"]

Event = dict[str, object]

_BOUNCES: Final = 0.3
_TASTE: Final = 0.82  # how often a choice follows the shopper's tastes
_LOOKS_AT_COMPANION: Final = 0.55
_TAKES_COMPANION: Final = 0.45
_SEES_BANNER: Final = 0.7
_FOLLOWS_BANNER: Final = {True: 0.35, False: 0.04}  # whether it is after the shopper's taste
_NAMES: Final = {shelf.slug: shelf.name for shelf in CATEGORIES}
# What people type for a category.
_TERMS: Final[Mapping[str, Sequence[str]]] = {
    "light": ("lamp", "bulbs", "shade"),
    "phones": ("phone", "charger", "earbuds"),
    "coffee": ("coffee", "espresso", "grinder"),
    "travel": ("backpack", "rain jacket", "bottle"),
    "desk": ("pen", "notebook", "ink"),
    "kitchen": ("knife", "pan", "apron"),
    "living": ("cushion", "candle", "wall clock"),
    "balcony": ("pot", "folding chair", "seeds"),
}
# Visits per hour of the day, UTC: a quiet night, a busy evening.
_HOURS: Final = (2, 1, 1, 1, 1, 2, 4, 6, 8, 9, 9, 10, 11, 10, 9, 9, 10, 12, 14, 17, 18, 15, 9, 5)


@dataclass(frozen=True)
class Step:
    """One event, after a pause in seconds."""

    event: Event
    pause_s: float


@dataclass(frozen=True)
class Batch:
    """The body of one POST /o without a key, and the browser that would have sent it."""

    user_agent: str
    body: Mapping[str, object]


def instant(moment: datetime) -> str:
    """A moment as the wire writes it: UTC, milliseconds."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def new_event(kind: str, moment: datetime, rng: random.Random, **fields: object) -> Event:
    """An event with an id of its own; fields that are None are left out."""
    known = {name: value for name, value in fields.items() if value is not None}
    return {
        "event_id": str(uuid.UUID(int=rng.getrandbits(128), version=4)),
        "type": kind,
        "occurred_at": instant(moment),
        **known,
    }


def walk(
    shopper: Shopper,
    catalogue: Sequence[Product],
    rng: random.Random,
    start: datetime,
    cart: dict[str, int] | None = None,
) -> Iterator[Step]:
    """One visit: landing, perhaps a bounce, browsing or searching, perhaps a cart, perhaps an order.

    cart: what is in the cart, by item id. The walk changes it, and so may the caller while the walk goes on.
    """
    visit = _Visit(shopper, catalogue, rng, start, {} if cart is None else cart)
    if shopper.is_bot:
        yield from visit.crawl()
        return
    yield from visit.land()
    if rng.random() < _BOUNCES:
        return
    if shopper.customer_id and rng.random() < 0.5:
        yield from visit.log_in()
    for _ in range(rng.choice((1, 2, 2, 3, 4))):
        yield from visit.find_and_view()
    if visit.cart:
        yield from visit.go_to_the_till()


def to_the_till(
    shopper: Shopper, catalogue: Sequence[Product], rng: random.Random, start: datetime, cart: dict[str, int]
) -> Iterator[Step]:
    """The end of a visit that came to its cart late: look at it, then leave it or check out."""
    return _Visit(shopper, catalogue, rng, start, cart).go_to_the_till()


def history(days: int, shoppers: int, rng: random.Random, now: datetime, shop_url: str = SHOP_URL) -> Iterator[Batch]:
    """Visits of the last `days` days, oldest first, one batch a visit; a shopper comes about twice.

    Event times are in the past and sent_at is now: to be sent at once, with the secret key.
    """
    from_catalogue = tuple(BY_ID.values())
    visits = []
    for _ in range(shoppers):
        shopper = new_shopper(rng, shop_url)
        visits += [(_past_moment(days, rng, now), shopper) for _ in range(rng.choice((1, 1, 1, 2, 2, 4)))]
    for start, shopper in sorted(visits, key=lambda visit: visit[0]):
        steps = walk(shopper, from_catalogue, rng, start)
        events = [step.event for step in steps if str(step.event["occurred_at"]) < instant(now)]
        if events:
            yield Batch(
                shopper.user_agent,
                {
                    "visitor": shopper.visitor_id,
                    "sent_at": instant(now),
                    "user_agent": shopper.user_agent,
                    "events": events,
                },
            )


def _past_moment(days: int, rng: random.Random, now: datetime) -> datetime:
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    hour = rng.choices(range(24), _HOURS)[0]
    moment = midnight - timedelta(days=rng.randrange(days), hours=-hour, seconds=-rng.uniform(0, 3600))
    # Today's evening has not been yet, so it was yesterday's (or today's night, when only one day is asked for).
    return moment if moment < now else max(moment - timedelta(days=1), now - timedelta(days=days))


class _Visit:
    """Where a shopper is, what the clock says and what is in the cart."""

    def __init__(
        self,
        shopper: Shopper,
        catalogue: Sequence[Product],
        rng: random.Random,
        start: datetime,
        cart: dict[str, int],
    ) -> None:
        self.cart = cart  # changed in place: offers that are taken come into it from outside
        self._shopper = shopper
        self._catalogue = catalogue
        self._rng = rng
        self._now = start
        self._customer: str | None = None
        self._page = {"url": "", "referrer": shopper.source.referrer, "title": ""}

    def land(self) -> Iterator[Step]:
        """The first page: the window, a category or a product, with the campaign's tags."""
        product = self._choose()
        place = self._rng.choice(("home", "category", "product"))
        if place == "home":
            yield self._open(paths.HOME, "Casa Faro", 0, landing=True)
            yield from self._pass_the_banner()
        elif place == "category":
            yield from self._open_category(product.category, 0, landing=True)
        else:
            yield from self._open_product(product, 0, landing=True)

    def _pass_the_banner(self) -> Iterator[Step]:
        """The banner of the season: it is on the page, most people see it, some follow it."""
        told = {"response_code": AUTUMN.code("home-hero"), "properties": AUTUMN.as_ga4("home-hero")}
        banner = {"content": {"kind": "promotion", "id": AUTUMN.promotion_id}, "response_code": told["response_code"]}
        yield self._say("view_promotion", 0, **told)
        if not self._takes(_SEES_BANNER):
            return
        yield self._say("faro_view", self._pause(2), **banner)
        if self._takes(_FOLLOWS_BANNER[AUTUMN.category in self._shopper.tastes]):
            yield self._say("faro_click", self._pause(4), **banner)
            yield self._say("select_promotion", 0, **told)
            yield from self._open_category(AUTUMN.category, 0.3)

    def log_in(self) -> Iterator[Step]:
        """From here on the shop knows the customer."""
        yield self._open(paths.LOGIN, "Log in", self._pause(6))
        self._customer = self._shopper.customer_id
        yield self._say("login", self._pause(9), properties={"method": "email"})

    def find_and_view(self) -> Iterator[Step]:
        """Find a product by searching or by category, look at it, perhaps take it, perhaps what goes with it."""
        product = self._choose()
        if self._rng.random() < 0.25:
            yield from self._search(product.category)
        else:
            yield from self._open_category(product.category, self._pause(12))
        yield from self._select(product)
        if self._takes(self._shopper.eagerness):
            yield from self._add(product)
        companions = [other for other in self._catalogue if other.item_id in product.companions]
        if companions and self._takes(_LOOKS_AT_COMPANION):
            along = self._rng.choice(companions)
            yield from self._open_product(along, self._pause(15))
            if product.item_id in self.cart and self._takes(_TAKES_COMPANION):
                yield from self._add(along)

    def go_to_the_till(self) -> Iterator[Step]:
        """Look at the cart; then leave it, or check out."""
        yield self._open(paths.CART, "Cart", self._pause(8))
        yield self._say("view_cart", 0, **self._in_cart(self.cart))
        if self._takes(0.12):
            yield from self._remove(self._rng.choice(list(self.cart)))
        if not self.cart or self._takes(0.45):
            return
        yield self._open(paths.CHECKOUT, "Check out", self._pause(15))
        yield self._say("begin_checkout", 0, **self._in_cart(self.cart))
        if self._takes(0.25):
            return
        yield self._open(paths.THANKS, "Thank you", self._pause(60))
        yield self._purchase()

    def crawl(self) -> Iterator[Step]:
        """A robot: many pages, evenly and fast, and nothing in the cart."""
        for product in self._rng.sample(list(self._catalogue), min(8, len(self._catalogue))):
            yield from self._open_product(product, 1.0)

    def _takes(self, likely: float) -> bool:
        return self._rng.random() < likely

    def _pause(self, typical_s: float) -> float:
        """A think time: mostly near the typical one, now and then much longer; at most ten minutes."""
        return round(min(600.0, typical_s * self._rng.lognormvariate(0, 0.6)), 3)

    def _choose(self) -> Product:
        """A product after the shopper's taste; the first of a category are the popular ones."""
        liked = [product for product in self._catalogue if product.category in self._shopper.tastes]
        shelf = liked if liked and self._takes(_TASTE) else list(self._catalogue)
        return self._rng.choices(shelf, [1 / (1 + place) ** 0.5 for place in range(len(shelf))])[0]

    def _say(self, kind: str, pause_s: float, **fields: object) -> Step:
        self._now += timedelta(seconds=pause_s)
        event = new_event(kind, self._now, self._rng, page=dict(self._page), customer_id=self._customer, **fields)
        return Step(event, pause_s)

    def _open(self, path: str, title: str, pause_s: float, landing: bool = False) -> Step:
        url = self._shopper.shop_url + path
        referrer = self._shopper.source.referrer if landing else self._page["url"]
        self._page = {"url": self._shopper.source.tagged(url) if landing else url, "referrer": referrer, "title": title}
        return self._say("page_view", pause_s)

    def _open_category(self, slug: str, pause_s: float, landing: bool = False) -> Iterator[Step]:
        yield self._open(paths.category(slug), _NAMES[slug], pause_s, landing)
        shelf = [product for product in self._catalogue if product.category == slug]
        items = [self._item(each, 1) for each in shelf]
        yield self._say("view_item_list", 0, currency=CURRENCY, items=items, properties={"item_list_id": slug})

    def _open_product(self, product: Product, pause_s: float, landing: bool = False) -> Iterator[Step]:
        yield self._open(paths.product(product.item_id), product.name, pause_s, landing)
        yield self._say("view_item", 0, **self._in_cart({product.item_id: 1}))

    def _search(self, slug: str) -> Iterator[Step]:
        term = self._rng.choice(_TERMS[slug])
        yield self._open(paths.search(term), "Search", self._pause(10))
        yield self._say("search", 0, search_term=term)

    def _select(self, product: Product) -> Iterator[Step]:
        yield self._say("select_item", self._pause(8), currency=CURRENCY, items=[self._item(product, 1)])
        yield from self._open_product(product, 0.3)

    def _add(self, product: Product) -> Iterator[Step]:
        quantity = self._rng.choice((1, 1, 1, 1, 2))
        self.cart.update(basket.added(self.cart, product.item_id, quantity))
        yield self._say("add_to_cart", self._pause(20), **self._in_cart({product.item_id: quantity}))

    def _remove(self, item_id: str) -> Iterator[Step]:
        gone = {item_id: self.cart.pop(item_id)}
        yield self._say("remove_from_cart", self._pause(5), **self._in_cart(gone))

    def _purchase(self) -> Step:
        bought = dict(self.cart)
        self.cart.clear()
        shipping = basket.shipping("standard", basket.total(bought))
        order_id = f"T-{self._rng.getrandbits(40):010X}"
        return self._say("purchase", 0, **self._in_cart(bought), transaction_id=order_id, shipping=float(shipping))

    def _in_cart(self, held: Mapping[str, int]) -> dict[str, object]:
        items = [self._item(line.product, line.quantity) for line in basket.lines(held)]
        return money(items, basket.total(held))

    def _item(self, product: Product, quantity: int) -> dict[str, object]:
        shop = self._shopper.shop_url
        url, image = shop + paths.product(product.item_id), shop + paths.picture(product.item_id)
        return item(Line(product, quantity), url, image)
