"""What is true in the end: ids, sessions and carts in the stores of a box, and of an undisturbed one that heard the same."""

import time
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
from clickhouse_driver import Client
from redis import Redis

from baliza.embedded.clickhouse import EmbeddedClickHouse
from baliza.embedded.valkey import EmbeddedValkey
from baliza.lease import Lease
from baliza.migrations import migrate
from baliza.settings import Settings
from baliza.sites import add_site, load_sites
from baliza.stores import History, RedisClient, install
from schema import keys
from schema.profile import decode_profile
from tests.reliability.crowd import AGENT, Crowd, send_in_order
from tests.reliability.script import Batch, Visitor
from tracker.collect import Collector
from tracker.ingest import Ingest
from tracker.request import Request

PARTITIONS = 8
SESSIONS = """
SELECT any(visitor_id) AS who, session_id, opened_at, min(started_at), max(ended_at), sum(events), sum(page_views),
       sum(item_views), sum(cart_adds), sum(checkouts), sum(purchases), sumMap(revenue), argMinMerge(landing),
       argMaxMerge(cart)
FROM sessions GROUP BY session_id, opened_at HAVING NOT startsWith(who, 'ghost') ORDER BY who, opened_at, session_id
"""


def assert_everything_once(crowd: Crowd, stored: Counter[str]) -> None:
    """0 lost, 0 twice, and nothing that was never sent."""
    assert crowd.wrong == []
    assert [event_id for event_id, times in stored.items() if times > 1] == []
    assert crowd.taken - stored.keys() == set(), "lost"
    assert crowd.repeats & stored.keys() == set(), "an order counted twice"
    assert stored.keys() - crowd.taken - crowd.unsure == set(), "nobody sent it"


def stored_ids(client: Client) -> Counter[str]:
    """How often each event id is in the history."""
    return Counter(event_id for (event_id,) in client.execute("SELECT event_id FROM events"))


def sessions(client: Client) -> list[tuple[Any, ...]]:
    """Every session with all that reports show of it; without those of visitors who give up."""
    return list(client.execute(SESSIONS))


def profiles(redis: RedisClient, visitors: list[Visitor]) -> dict[str, Any]:
    """The live profile of each visitor, carts and orders included, without the times at which ids are forgotten."""
    found = {}
    for who in visitors:
        if not who.give_up:
            stored = redis.get(keys.visitor(keys.partition_of(who.name, PARTITIONS), "demo", who.name))
            profile = msgspec.structs.asdict(decode_profile(stored))
            found[who.name] = {name: value for name, value in profile.items() if not name.startswith("dedupe")}
    return found


def carts(redis: RedisClient, name: str = "carts") -> dict[str, float]:
    """Visitors with something in the cart, and when it changed."""
    key = getattr(keys, name)
    return {
        member.decode(): score
        for partition in range(PARTITIONS)
        for member, score in redis.zrange(key(partition, "demo"), 0, -1, withscores=True)
        if not member.startswith(b"ghost")
    }


class Undisturbed:
    """Both stores of its own, and the collector's and ingest's real code, one request after the other."""

    def __init__(self, folder: Path) -> None:
        self.settings = Settings(data_dir=folder, partitions=PARTITIONS)
        self.valkey, self.engine = EmbeddedValkey(folder / "valkey"), EmbeddedClickHouse(folder / "clickhouse")
        self.valkey.start()
        self.engine.start()
        self.redis = Redis.from_url(self.valkey.url)
        install(self.redis, self.settings)
        add_site(self.redis, "demo", ["*"], publishable_key="pk_demo", secret_key="sk_demo")
        self.client = Client.from_url(self.engine.url())
        migrate(self.client)
        self._collector = Collector(
            self.settings,
            lambda: int(time.time() * 1000),
            lambda: "nobody",
            lambda _site, _tally: None,
            load_sites(self.redis),
        )

    def hear(self, visitors: list[Visitor]) -> None:
        """Take the whole script, and carry it into the history."""
        send_in_order([who for who in visitors if not who.give_up], self._take)
        lease = Lease(self.redis, "ingest-0", "undisturbed", time.monotonic)
        ingest = Ingest(
            self.settings, self.redis, History(lambda: self.client), lease, "undisturbed", lambda: int(time.time() * 1000)
        )
        while ingest.step():
            pass

    def _take(self, batch: Batch) -> int:
        body: dict[str, Any] = {"visitor": batch.visitor, "events": batch.events}
        headers = {"user-agent": AGENT}
        if batch.by_server:
            headers["authorization"] = "Bearer sk_demo"
        else:
            body["key"] = "pk_demo"
        steps = self._collector.steps(Request("POST", "/o", headers, msgspec.json.encode(body), "127.0.0.1"))
        try:
            commands = next(steps)
            while True:
                commands = steps.send([self.redis.execute_command(*command) for command in commands])
        except StopIteration as stop:
            return int(stop.value.status)

    def close(self) -> None:
        self.client.disconnect()
        self.redis.close()
        self.engine.kill()
        self.valkey.kill()
