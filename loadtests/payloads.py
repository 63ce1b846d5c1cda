"""What is sent: events of the demo's catalogue, in bodies as a browser would make them. Pure; times are arguments."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

import msgspec

from demo import paths
from demo.basket import Line
from demo.catalogue import CURRENCY, PRODUCTS, Product
from demo.data_layer import item
from demo.walks import Batch, instant
from loadtests.client import request

__all__ = [
    "KEY",
    "SECRET",
    "SHOP",
    "Posts",
    "event_json",
    "offers_asked",
    "posts",
    "posts_of_history",
    "visit_of_ten",
]

KEY: Final = "pk_bench"
SECRET: Final = "sk_bench"
SHOP: Final = "https://shop.example"
BROWSER: Final = {
    "Content-Type": "text/plain",
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0",
    "Origin": SHOP,
    "Referer": f"{SHOP}/",
}
# A visitor comes with this many events in a measurement: about as many as a visit of a real shop has.
EVENTS_PER_VISITOR: Final = 10
EVENT_HOLE: Final = "eventeventev"  # as long as the number that takes its place
VISITOR_HOLE: Final = "visitorvi"


def _fields(kind: str, event_id: str, product: Product, moment: datetime) -> dict[str, Any]:
    url = SHOP + paths.product(product.item_id)
    event: dict[str, Any] = {
        "event_id": event_id,
        "type": kind,
        "occurred_at": instant(moment),
        "page": {"url": url, "referrer": SHOP + paths.category(product.category), "title": product.name},
    }
    if kind != "page_view":
        sold = item(Line(product, 1), url, SHOP + paths.picture(product.item_id))
        del sold["url"], sold["image"]
        event |= {"currency": CURRENCY, "value": float(product.price), "items": [sold]}
    return event


def event_json(kind: str, event_id: str, product: Product, moment: datetime) -> bytes:
    """One event as JSON; about 400 bytes when it has an item."""
    return msgspec.json.encode(_fields(kind, event_id, product, moment))


def _body(visitor: str, events: Sequence[bytes], moment: datetime) -> bytes:
    head = b'{"key":"%b","visitor":"%b","sent_at":"%b","events":['
    return head % (KEY.encode(), visitor.encode(), instant(moment).encode()) + b",".join(events) + b"]}"


@dataclass(frozen=True)
class Posts:
    """Endless POST /o requests as templates: whole requests with holes for the visitor's number, then each event's.

    Request `n` is templates[n * events_each % len(templates)], filled with n // visits and the events' numbers from
    n * events_each. Templates, because a load that is slow itself does not keep the server busy.
    """

    templates: Sequence[bytes]
    events_each: int

    @classmethod
    def of(cls, run: str, moment: datetime, events_each: int) -> "Posts":
        """Product views. run: makes visitors and events differ from those of other runs."""
        # The products of a request depend on its number only through where it begins in the catalogue.
        return cls([_template(run, moment, first, events_each) for first in range(len(PRODUCTS))], events_each)

    @property
    def visits(self) -> int:
        """How many requests a visitor sends."""
        return max(1, EVENTS_PER_VISITOR // self.events_each)

    def __iter__(self) -> Iterator[bytes]:
        for number in itertools.count():
            first = number * self.events_each
            template = self.templates[first % len(self.templates)]
            yield template % (number // self.visits, *range(first, first + self.events_each))


def posts(run: str, moment: datetime, events_each: int) -> Iterator[bytes]:
    """Endless POST /o requests of `events_each` product views; a visitor for every ten events, an id for each event."""
    return iter(Posts.of(run, moment, events_each))


def _template(run: str, moment: datetime, first: int, events_each: int) -> bytes:
    """A whole request with holes: the visitor's number, then each event's. Numbers have fixed widths: the length holds."""
    events = []
    for place in range(events_each):
        product = PRODUCTS[(first + place) % len(PRODUCTS)]
        events.append(event_json("view_item", f"{run}-{EVENT_HOLE}", product, moment))
    raw = request("POST", "/o", BROWSER, _body(f"v-{run}-{VISITOR_HOLE}", events, moment)).replace(b"%", b"%%")
    return raw.replace(EVENT_HOLE.encode(), b"%012d").replace(VISITOR_HOLE.encode(), b"%09d")


def visit_of_ten(visitor: str, moment: datetime) -> bytes:
    """A POST /o of ten events that leave two products in the cart: four pages, four views, two put in."""
    chosen = [PRODUCTS[(hash_of(visitor) + place) % len(PRODUCTS)] for place in range(4)]
    said = [*(("page_view", each) for each in chosen), *(("view_item", each) for each in chosen)]
    said += [("add_to_cart", each) for each in chosen[:2]]
    events = [event_json(kind, f"{visitor}-{place}", each, moment) for place, (kind, each) in enumerate(said)]
    return request("POST", "/o", BROWSER, _body(visitor, events, moment))


def hash_of(text: str) -> int:
    """A number that is the same in every process, unlike hash()."""
    return sum(text.encode())


def posts_of_history(batches: Sequence[Batch]) -> Iterator[bytes]:
    """Past visits as a server sends them, one request each; each in its own shopper's browser."""
    for batch in batches:
        headers = {"Content-Type": "text/plain", "User-Agent": batch.user_agent, "Authorization": f"Bearer {SECRET}"}
        yield request("POST", "/o", headers, msgspec.json.encode(batch.body))


def offers_asked(visitors: Sequence[str]) -> Iterator[bytes]:
    """Endless GET /v1/offers of these visitors in turn, each on the page of another product, from the browser."""
    headers: Mapping[str, str] = {name: BROWSER[name] for name in ("User-Agent", "Origin", "Referer")}
    for number in itertools.count():
        visitor, product = visitors[number % len(visitors)], PRODUCTS[number % len(PRODUCTS)]
        asked = f"key={KEY}&visitor={quote(visitor)}&placement=product-detail&item_id={quote(product.item_id)}&limit=4"
        yield request("GET", f"/v1/offers?{asked}", headers)
