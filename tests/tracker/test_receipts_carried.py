"""Ingest adds the receipts up exactly once, wherever it dies; so the sum holds at every moment."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from baliza.errors import StoreDown
from baliza.lease import Lease
from baliza.settings import Settings
from baliza.stores import History, RedisClient
from schema import keys
from tests.support.collecting import START, Shop, event
from tests.tracker.test_quarantine_replay import mistaken
from tracker import ingest
from tracker.ingest import Ingest
from tracker.insertion import Insertion
from tracker.quarantine import all_kept, delete
from tracker.quarantine_replay import TAKEN, Again
from tracker.receipts import Line, Receipts, read_receipts

pytestmark = [pytest.mark.redis, pytest.mark.clickhouse]
HOUR = START.replace(minute=0)
PERSON = {"user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}
BOT = {"user-agent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"}
WHOLE = Line("demo", HOUR, 14, 5, 1, 3, 2, 3, 0, 0)


@pytest.fixture
def carry(settings: Settings, redis_client: RedisClient, history: History) -> Callable[[], int]:
    def one_worker() -> int:
        """A process that carries one batch and dies."""
        lease = Lease(redis_client, "ingest-0", "one", time.monotonic)
        return Ingest(settings, redis_client, history, lease, "one", lambda: int(time.time() * 1000)).step()

    return one_worker


@pytest.fixture
def read(redis_client: RedisClient, history: History, settings: Settings) -> Callable[[], Receipts]:
    def now() -> Receipts:
        until = START + timedelta(days=1)
        return read_receipts(redis_client, history, settings, START, until, tries=2, sleep=lambda _s: None)

    return now


def send_a_mixture(shop: Shop) -> None:
    """14 events: 5 of people, 1 of a bot, 3 that had come before, 2 without consent, 3 that are not valid."""
    same = event()
    shop.send(same, same, event("search", search_term="lamp"), event(colour="red"), event(consent="denied"), headers=PERSON)
    shop.send(same, headers=PERSON)
    shop.send(event(), visitor="v-2", headers=BOT)
    shop.send(event("purchase", item="A", transaction_id="T-1"), visitor="v-3", headers=PERSON)
    shop.send(
        event("purchase", item="A", transaction_id="T-1"), event(), same | {"event_id": "e"}, visitor="v-4", headers=PERSON
    )
    shop.send(event(), visitor="v-5", headers=PERSON | {"dnt": "1"})
    shop.send(event(colour="red"), event("purchase"), visitor="v-6", headers=PERSON)


def test_what_came_in_is_accounted_for_before_and_after(
    shop: Shop, carry: Callable[[], int], read: Callable[[], Receipts]
) -> None:
    send_a_mixture(shop)
    assert read().lines == [msgspec.structs.replace(WHOLE, stored=0, bot=0, waiting=6)]
    carry_all(shop, carry)
    assert read().lines == [WHOLE]
    assert read().settled


def carry_all(shop: Shop, carry: Callable[[], int]) -> None:
    for _ in range(10):
        if any(shop.redis.xlen(keys.events(partition)) for partition in range(8)):
            carry()


def consts(action: Any) -> tuple[object, ...]:
    """The texts and numbers in a function's own code; none of one that is not written in Python."""
    return action.__code__.co_consts if hasattr(action, "__code__") else ()


def killed(*_: object) -> Any:
    raise StoreDown("killed here")


@pytest.mark.parametrize("where", ["before the events", "before the receipts", "before trimming", "before the end"])
def test_the_sum_holds_wherever_ingest_is_killed(
    shop: Shop, carry: Callable[[], int], read: Callable[[], Receipts], monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    send_a_mixture(shop)
    with monkeypatch.context() as dying:
        insert, call = Insertion._insert, ingest.call
        if where == "before trimming":
            dying.setattr(Ingest, "_trim", killed)
        elif where == "before the end":
            dying.setattr(ingest, "call", lambda action: killed() if "close_batch_v1" in consts(action) else call(action))
        else:
            table = where.removeprefix("before the ")

            def insert_some(self: Insertion, statement: str, *given: Any) -> None:
                if f"INTO {table}" in statement:
                    killed()
                insert(self, statement, *given)

            dying.setattr(Insertion, "_insert", insert_some)
        with pytest.raises(StoreDown, match="killed here"):
            carry()
    half = read()
    assert half.sound
    assert not half.settled
    shop.send(event(), visitor="v-9", headers=PERSON)
    carry_all(shop, carry)
    assert read().lines == [msgspec.structs.replace(WHOLE, received=15, stored=6)]


def test_what_is_taken_in_from_quarantine_is_not_rejected_any_more(
    shop: Shop, carry: Callable[[], int], read: Callable[[], Receipts], monkeypatch: pytest.MonkeyPatch,
    settings: Settings, history: History,
) -> None:  # fmt: skip
    with mistaken(monkeypatch):
        shop.send(event(), headers=PERSON)
    shop.send(event(), headers=PERSON)
    carry()
    assert read().lines == [Line("demo", HOUR, 2, 1, 0, 0, 0, 1, 0, 0)]
    shop.now += timedelta(hours=7)
    now_ms = int(shop.now.timestamp() * 1000)
    again = Again(shop.redis, history, settings, shop.collector.registry, lambda: now_ms)  # type: ignore[arg-type]
    assert [again.take(kept).name for kept in all_kept(shop.redis, 8)] == [TAKEN]
    assert read().lines == [Line("demo", HOUR, 2, 1, 0, 0, 0, 0, 1, 0)]
    carry()
    assert read().lines == [Line("demo", HOUR, 2, 2, 0, 0, 0, 0, 0, 0)]


@pytest.mark.usefixtures("own_database")
def test_what_the_history_refuses_waits_until_it_is_deleted(
    shop: Shop, carry: Callable[[], int], read: Callable[[], Receipts], history: History
) -> None:
    history.client().execute("ALTER TABLE events ADD CONSTRAINT no_lamp CHECK search_term != 'lamp'")
    shop.send(event("search", search_term="lamp"), event(), headers=PERSON)
    shop.send(event("search", search_term="chair"), visitor="v-2", headers=PERSON)
    carry_all(shop, carry)
    assert read().lines == [Line("demo", HOUR, 3, 1, 0, 0, 0, 0, 2, 0)]
    (kept,) = all_kept(shop.redis, 8)
    assert kept.kind == "unstored"
    assert delete(shop.redis, kept)
    carry_all(shop, carry)
    assert read().lines == [Line("demo", HOUR, 3, 1, 0, 0, 0, 2, 0, 0)]
