"""What visitors do, made from a seed: the same script may be sent to a box that is killed and to one that is not."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

ITEMS = [(f"ITEM-{number}", f"Category {number % 7}", 5 + number * 3 + 0.5) for number in range(40)]
MINUTES_BETWEEN_SESSIONS = (31, 300)


@dataclass
class Batch:
    """One request. `bad`: places of events that must be refused. `repeats`: ids of purchases of an order told before."""

    visitor: str
    events: list[dict[str, Any]]
    by_server: bool = False
    bad: frozenset[int] = frozenset()
    repeats: frozenset[str] = frozenset()

    def ids(self) -> list[str]:
        """Of the good events."""
        return [event["event_id"] for place, event in enumerate(self.events) if place not in self.bad]


@dataclass
class Visitor:
    """A person who comes one to three times within the last day. `give_up`: sends each batch once, and never again."""

    name: str
    began: datetime
    dice: random.Random
    give_up: bool = False
    now: datetime = field(init=False)
    count: int = 0

    def __post_init__(self) -> None:
        self.now = self.began - timedelta(hours=self.dice.uniform(14, 24))

    def batches(self) -> Iterator[Batch]:
        """In the order in which they are to be sent, each after the answer to the one before."""
        for _ in range(self.dice.randint(1, 3)):
            for _ in range(self.dice.randint(2, 5)):
                batch = self._pages()
                yield batch
                if self.dice.random() < 0.1:
                    yield batch  # the answer was lost, or two tabs sent it
            if self.dice.random() < 0.4:
                yield from self._buys()
            self.now += timedelta(minutes=self.dice.uniform(*MINUTES_BETWEEN_SESSIONS))

    def _pages(self) -> Batch:
        events = [self._event() for _ in range(self.dice.randint(1, 4))]
        if self.dice.random() < 0.05:
            bad = {"event_id": f"{self.name}-bad-{self.count}", "type": "no_such_thing", "occurred_at": self.now.isoformat()}
            return Batch(self.name, [*events, bad], bad=frozenset({len(events)}))
        return Batch(self.name, events)

    def _event(self, kind: str = "", **given: Any) -> dict[str, Any]:
        kind = (
            kind
            or self.dice.choices(
                ["page_view", "view_item", "add_to_cart", "remove_from_cart", "sync_cart", "search", "begin_checkout"],
                [30, 30, 20, 5, 3, 8, 4],
            )[0]
        )
        self.count += 1
        self.now += timedelta(milliseconds=self.dice.randint(10, 60_000))
        # Some wait in the browser for hours.
        late = timedelta(hours=self.dice.uniform(1, 40)) if self.dice.random() < 0.04 else timedelta()
        made: dict[str, Any] = {
            "event_id": f"{self.name}-{self.count}",
            "type": kind,
            "occurred_at": (self.now - late).isoformat(timespec="milliseconds"),
            "page": {"url": f"https://shop.test/{kind}/{self.count}", "referrer": "https://search.test/"},
        }
        if kind == "search":
            made["search_term"] = f"lamp {self.count}"
        if kind in ("view_item", "add_to_cart", "remove_from_cart", "sync_cart", "begin_checkout"):
            made |= {"items": self._items(), "currency": "EUR"}
        return made | given

    def _items(self) -> list[dict[str, Any]]:
        chosen = self.dice.sample(ITEMS, self.dice.randint(1, 2))
        return [
            {"item_id": name, "item_category": category, "price": price, "quantity": self.dice.randint(1, 3)}
            for name, category, price in chosen
        ]

    def _buys(self) -> Iterator[Batch]:
        """A purchase; then the thank-you page is loaded again, or the shop's server speaks of it too."""
        order = {"transaction_id": f"T-{self.name}-{self.count}", "items": self._items(), "currency": "EUR"}
        order["value"] = round(sum(item["price"] * item["quantity"] for item in order["items"]), 2)
        yield Batch(
            self.name, [self._event("purchase", **order), self._event("page_view")], by_server=self.dice.random() < 0.3
        )
        for _ in range(self.dice.randint(0, 2)):
            again = self._event("purchase", **order)
            other = self.name if self.dice.random() < 0.5 else f"{self.name}-phone"
            yield Batch(other, [again], by_server=self.dice.random() < 0.5, repeats=frozenset({again["event_id"]}))


def visitor(seed: int, number: int, began: datetime) -> Visitor:
    """The visitor of this number. `began`: a time that all his events are before; the same in every run that is compared."""
    dice = random.Random(f"{seed}/{number}")
    give_up = dice.random() < 0.1
    return Visitor(f"{'ghost' if give_up else 'c'}{seed}-{number}", began, dice, give_up)
