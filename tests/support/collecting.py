"""Drive the collector's steps against a real live store, without sockets in between."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import msgspec

from baliza.settings import Settings
from baliza.sites import load_sites
from baliza.stores import RedisClient
from tracker.collect import Collector, Tally
from tracker.request import Answer, Request

START = datetime(2026, 11, 21, 10, 0, 0, tzinfo=UTC)
_numbers = count(1)


def event(kind: str = "page_view", at: float | datetime = 0.0, **given: Any) -> dict[str, Any]:
    """An event of the wire. `at`: seconds after START, or a time. `item`/`items`: id, or (id, category, price, quantity)."""
    when = at if isinstance(at, datetime) else START + timedelta(seconds=at)
    made: dict[str, Any] = {"event_id": f"e-{next(_numbers)}", "type": kind, "occurred_at": when.isoformat()}
    items = [given.pop("item")] if "item" in given else given.pop("items", [])
    if items:
        made["items"] = [_item(item) for item in items]
        made["currency"] = "EUR"
    if kind == "purchase":
        made.setdefault("transaction_id", f"T-{next(_numbers)}")
    return made | given


def _item(item: Any) -> dict[str, Any]:
    if isinstance(item, str):
        return {"item_id": item}
    names = ("item_id", "item_category", "price", "quantity")
    return dict(zip(names, item, strict=False))


class Shop:
    """A site's pages and servers, sending. `now` is the collector's clock and moves only when a test moves it."""

    def __init__(self, redis: RedisClient, settings: Settings, key: str = "pk_demo") -> None:
        self.redis, self.key = redis, key
        self.now = START + timedelta(minutes=1)
        self.tallies: list[Tally] = []
        ids = (f"new-{number}" for number in count(1))
        self.collector = Collector(
            settings,
            lambda: int(self.now.timestamp() * 1000),
            lambda: next(ids),
            lambda _site, tally: self.tallies.append(tally),
            load_sites(redis),
        )

    def post(self, body: Any, headers: Mapping[str, str] | None = None, target: str = "/o", method: str = "POST") -> Answer:
        """Send one request; `body` is bytes or becomes JSON. Header names in lower case."""
        raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
        steps = self.collector.steps(Request(method, target, dict(headers or {}), raw, "192.0.2.77"))
        try:
            commands = next(steps)
            while True:
                commands = steps.send([self.redis.execute_command(*command) for command in commands])
        except StopIteration as stop:
            answer: Answer = stop.value
            return answer

    def send(self, *events: Mapping[str, Any], visitor: str = "v-1", headers: Mapping[str, str] | None = None) -> Answer:
        """Send events of one visitor with the publishable key."""
        return self.post({"key": self.key, "visitor": visitor, "events": list(events)}, headers)

    def send_as_server(self, *events: Mapping[str, Any], visitor: str = "v-1", secret: str = "sk_demo") -> Answer:
        return self.post({"visitor": visitor, "events": list(events)}, {"authorization": f"Bearer {secret}"})
