"""A small shop whose affinities are planted, as a model and as history, and live profiles of its visitors."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import numpy as np

from baliza.settings import Settings
from baliza.stores import RedisClient
from personalizer.learning.history import Interactions, Items, Parameters
from personalizer.learning.train import learn
from personalizer.models.model import ItemFacts, Model
from schema import keys
from schema.events import Event
from schema.profile import BoughtItem, Cart, CartLine, Order, ViewedItem, VisitorProfile
from tests.support.rows import event_row
from tracker.beacon import Decoded
from tracker.observe import Context, observe_command, session_rules

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)
PARTITIONS = 8
VISITOR = "3735928559-4027431614-305419896-19088743"  # as the beacon makes them: others name nobody to the publishable key

# item → category. Who buys the lamp buys the bulb, who buys the phone the case; the rug sells best of all.
SHOP = {"bulb": "light", "case": "phones", "lamp": "light", "phone": "phones", "rug": "floors", "torch": "light"}
ITEMS = sorted(SHOP)
BOUGHT = [("lamp", "bulb")] * 8 + [("phone", "case")] * 6 + [("rug",)] * 20 + [("lamp", "rug"), ("bulb", "rug")]
VIEWED = [("lamp", "torch")] * 12 + [("phone", "case")] * 3 + [("phone",)] * 2 + [(item,) for item in ITEMS]


def planted_model(version: str = "planted") -> Model:
    """The model of BOUGHT and VIEWED."""
    rows = [(session, item, 0, 0, 1) for session, items in enumerate(BOUGHT) for item in items]
    rows += [(len(BOUGHT) + session, item, 1, 0, 0) for session, items in enumerate(VIEWED) for item in items]
    counts = [
        [sum(row[4] for row in rows if row[1] == item), 0, sum(row[2] for row in rows if row[1] == item)] for item in ITEMS
    ]
    model = learn(Items([fact(item) for item in ITEMS], np.array(counts, np.float64)), interactions(rows), Parameters())
    return Model.of_arrays(model.arrays(), version)


def fact(item: str) -> ItemFacts:
    return ItemFacts(item, item.title(), SHOP[item], 39_900_000, "EUR", f"http://shop.test/p/{item}", "")


def interactions(rows: Sequence[tuple[int, str, int, int, int]]) -> Interactions:
    """(session, item, views, cart adds, purchases) as training has them."""
    sessions, items, *counts = zip(*rows, strict=True)
    numbers = np.array([ITEMS.index(item) for item in items], np.int32)
    return Interactions(np.array(sessions, np.uint64), numbers, *(np.array(column, np.float32) for column in counts))


def planted_history(now: datetime = NOW) -> Iterator[dict[str, Any]]:
    """The same as events, spread over the ten days before `now`."""
    sessions = [("purchase", items) for items in BOUGHT] + [("view_item", items) for items in VIEWED]
    for number, (kind, items) in enumerate(sessions):
        at = now - timedelta(hours=5 * number + 1)
        common = {"session_id": f"s-{number}", "visitor_id": f"v-{number}", "session_opened_at": at}
        if kind == "purchase":
            lines = [(item, SHOP[item], "35", 1) for item in items]
            yield event_row(type="purchase", occurred_at=at, items=lines, **common)
            continue
        for place, item in enumerate(items):
            yield event_row(
                type="view_item", occurred_at=at + timedelta(seconds=place), page_url=f"http://shop.test/p/{item}?utm_source=x",
                items=[(item, SHOP[item], "39.90", 1)], **common,
            )  # fmt: skip


def profile(
    *, viewed: Sequence[str] = (), cart: Sequence[str] = (), bought: Sequence[str] = (), changed_at: int = NOW_MS,
    customer_id: str | None = None,
) -> VisitorProfile:  # fmt: skip
    """A visitor who viewed these items (oldest first, a minute apart, the last one now)."""
    views = [
        ViewedItem(item, SHOP.get(item, ""), item.title(), 1, NOW_MS - 60_000 * (len(viewed) - 1 - place), -1, "EUR")
        for place, item in enumerate(viewed)
    ]
    orders = [Order("T-1", NOW_MS, 1_000_000, "EUR", [BoughtItem(item, 1) for item in bought])] if bought else []
    lines = [CartLine(item, 2, 39_900_000, item.title(), SHOP.get(item, "")) for item in cart]
    return VisitorProfile(
        first_seen_at=0, last_seen_at=NOW_MS, sessions=1, links=[], past=[], viewed=views,
        orders=orders, cart=Cart("EUR", changed_at, 0, lines), customer_id=customer_id,
    )  # fmt: skip


def observe(redis: RedisClient, visitor_id: str, type_: str, items: Sequence[str] = (), **given: Any) -> None:
    """One event through the live store's own function, as the collector calls it."""
    at_ms, site = given.get("at_ms", NOW_MS), given.get("site", "demo")
    said = {
        "event_id": f"{type_}{at_ms}{items}", "type": type_, "occurred_at": datetime.fromtimestamp(at_ms / 1000, UTC),
        "customer_id": given.get("customer_id") or None, "currency": "EUR",
        "value": 0 if type_ == "purchase" else None, "transaction_id": f"T-{at_ms}" if type_ == "purchase" else None,
        "items": [
            {"item_id": item, "price": "39.9", "item_name": item.title(), "item_category": SHOP.get(item, "")}
            for item in items
        ],
    }  # fmt: skip
    decoded = Decoded("", visitor_id, [msgspec.convert(said, Event)], [at_ms], b"{}")
    context = Context(site, visitor_id, at_ms, "server", trusted=True)
    redis.execute_command(*observe_command(decoded, [0], context, session_rules(Settings()), PARTITIONS))


def note_purchase(redis: RedisClient, customer_id: str, at_ms: int, site: str = "demo") -> None:
    key = keys.customer(keys.partition_of(customer_id, PARTITIONS), site, customer_id)
    redis.fcall("note_purchase_v1", 1, key, at_ms, keys.VISITOR_TTL_MS)


def note_visit(redis: RedisClient, customer_id: str, visitor_id: str, at_ms: int, site: str = "demo") -> None:
    key = keys.customer(keys.partition_of(customer_id, PARTITIONS), site, customer_id)
    redis.fcall("note_visit_v1", 1, key, visitor_id, at_ms, keys.VISITOR_TTL_MS)
