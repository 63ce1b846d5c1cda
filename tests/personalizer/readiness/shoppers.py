"""Simulated visits with planted reasons to buy, as the history tells them: who comes by mail or looks again buys, mostly."""

import random
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from baliza.stores import History
from personalizer.readiness.replay import Past
from personalizer.readiness.snapshots import Moments, Snapshots

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
IDLE_MS = 30 * MINUTE_MS
PLAIN, MAILED = "http://shop.test/", "http://shop.test/?utm_source=news&utm_medium=email"


def visits(
    count: int, *, seed: int = 1, days: int = 20, telling: bool = True, wanting: float = 0.15, since_ms: int = 0
) -> Iterator[Past]:
    """Events by visitor and time. telling: whether what a visitor does says anything about an order."""
    chance = random.Random(seed)
    for number in range(count):
        begin = since_ms + int(chance.random() * days * DAY_MS)
        yield from visit(f"v-{number:06}", f"s-{number}", begin, chance, telling=telling, wanting=wanting)


def visit(
    visitor: str, session: str, begin_ms: int, chance: random.Random, *, telling: bool = True, wanting: float = 0.15
) -> Iterator[Past]:
    wants = chance.random() < wanting
    at, favourite = begin_ms, f"item-{chance.randrange(20)}"
    url = MAILED if telling and chance.random() < (0.7 if wants else 0.05) else PLAIN
    for _ in range(chance.randint(1, 8)):
        item = favourite if wants and telling and chance.random() < 0.6 else f"item-{chance.randrange(20)}"
        for kind, items in (("page_view", ()), ("view_item", ((item, "Light"),))):
            yield past(visitor, session, at, kind, items)._replace(page_url=url)
            at += chance.randint(1, 90_000)
    if chance.random() < (0.7 if wants else 0.02):
        yield past(visitor, session, at, "add_to_cart", cart=1)
        at += chance.randint(1000, 300_000)
        if chance.random() < 0.7:
            yield past(visitor, session, at, "purchase")


def past(visitor: str, session: str, at_ms: int, kind: str, items: tuple[tuple[str, str], ...] = (), cart: int = 0) -> Past:
    return Past(visitor, kind, at_ms, session, "", "http://shop.test/", "", "", cart, cart * 5_000_000, items)


def moments(count: int, **how: Any) -> Moments:
    found = Snapshots(IDLE_MS, 0)
    found.take(visits(count, **how))
    return found.finish(100 * DAY_MS)


def keep(history: History, events: Iterable[Past], site: str = "demo", bot: str = "") -> None:
    """Write them into the history, as ingest would."""
    rows, numbers = [], dict[str, int]()
    opened = dict[str, datetime]()
    for event in events:
        at = datetime.fromtimestamp(event.at_ms / 1000, UTC)
        numbers[event.session_id] = numbers.get(event.session_id, 0) + 1
        rows.append((
            site, f"e-{len(rows)}", event.kind, at, at, event.visitor_id, event.session_id,
            opened.setdefault(event.session_id, at), numbers[event.session_id], event.page_url, event.cart_pieces,
            Decimal(event.cart_micros) / 1_000_000, [item for item, _ in event.items],
            [category for _, category in event.items], bot, *[["" for _ in event.items]] * 3,
            [Decimal(5) for _ in event.items], [1 for _ in event.items],
        ))  # fmt: skip
    history.client().execute(
        "INSERT INTO events (site, event_id, type, occurred_at, received_at, visitor_id, session_id, session_opened_at,"
        " session_event, page_url, cart_pieces, cart_value, item_ids, item_categories, bot,"
        " item_names, item_brands, item_urls, item_prices, item_quantities) VALUES",
        rows,
    )
