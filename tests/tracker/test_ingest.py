"""The loop into the history, on real engines: exactly once, whatever happens in between."""

import dataclasses
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from baliza.errors import StoreDown
from baliza.lease import Lease
from baliza.settings import Settings
from baliza.stores import History, RedisClient
from schema import keys
from tests.support.collecting import Shop, event
from tracker import ingest
from tracker.brake import Braked
from tracker.ingest import Ingest, oldest_waiting_s
from tracker.rows import BadEntry

pytestmark = [pytest.mark.redis, pytest.mark.clickhouse]


@pytest.fixture
def worker(settings: Settings, redis_client: RedisClient, history: History) -> Callable[[str], Ingest]:
    def make(owner: str = "one", number: int = 0, of: int = 1, **more: Any) -> Ingest:
        lease = Lease(redis_client, f"ingest-{number}", owner, time.monotonic)
        among = dataclasses.replace(settings, ingest_workers=of, ingest_worker=number, **more)
        return Ingest(among, redis_client, history, lease, owner, lambda: int(time.time() * 1000))

    return make


def stored(history: History) -> list[tuple[Any, ...]]:
    return history.rows("SELECT type, count() FROM events GROUP BY type ORDER BY type")


def test_carries_every_accepted_event_with_its_session(
    shop: Shop, worker: Callable[..., Ingest], history: History, redis_client: RedisClient
) -> None:
    page = {
        "url": "http://shop.test/p/lamp?utm_source=News&utm_medium=email",
        "referrer": "https://www.google.com/",
        "title": "L",
    }
    shop.send(
        event("view_item", 0, item=("LAMP", "Light", 39.9), page=page),
        event("add_to_cart", 10, item=("LAMP", "Light", 39.9, 2)),
        headers={"user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"},
    )
    shop.send(event("purchase", 20, item=("LAMP", "Light", 39.9, 2), customer_id="c-42"))
    assert worker().step() == 3
    assert stored(history) == [("add_to_cart", 1), ("purchase", 1), ("view_item", 1)]
    (first,) = history.records("SELECT * FROM events WHERE type = 'view_item'")
    assert (first["source"], first["medium"], first["page_path"], first["network"]) == (
        "news",
        "email",
        "/p/lamp",
        "192.0.2.0/24",
    )
    assert (first["device"], first["browser"], first["bot"], first["sender"]) == ("desktop", "Firefox", "", "browser")
    assert first["item_prices"] == [Decimal("39.9")]
    (session,) = history.records(
        "SELECT sum(events) AS n, sum(purchases) AS bought, sumMap(revenue) AS revenue, max(customer_id) AS customer"
        " FROM sessions GROUP BY site, opened_at, session_id"
    )
    assert session["n"] == 3
    assert session["revenue"] == {"EUR": Decimal("79.8")}
    assert (session["bought"], session["customer"]) == (1, "c-42")
    assert [redis_client.xlen(keys.events(partition)) for partition in range(8)] == [0] * 8


def test_a_batch_repeated_after_a_crash_before_trimming_counts_once(
    shop: Shop, worker: Callable[..., Ingest], history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.send(event(), event("view_item", item="A"))
    crashing = worker()
    monkeypatch.setattr(crashing, "_trim", lambda _manifest: (_ for _ in ()).throw(StoreDown("killed here")))
    with pytest.raises(StoreDown):
        crashing.step()
    shop.send(event("search", search_term="lamp"))
    assert worker().step() == 2  # the open batch first, exactly as it was written down
    assert worker().step() == 1
    assert stored(history) == [("page_view", 1), ("search", 1), ("view_item", 1)]
    assert history.rows("SELECT sum(events) FROM sessions") == [(3,)]


def test_a_crash_while_trimming_repeats_only_what_is_left(
    shop: Shop, worker: Callable[..., Ingest], history: History, redis_client: RedisClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        shop.send(event(), visitor=f"v-{number}")
    crashing = worker()

    def trim_one_and_die(manifest: Any) -> None:
        redis_client.delete(keys.events(next(iter(manifest.ranges))))
        raise StoreDown("killed here")

    monkeypatch.setattr(crashing, "_trim", trim_one_and_die)
    with pytest.raises(StoreDown):
        crashing.step()
    worker().step()
    assert worker().step() == 0
    assert stored(history) == [("page_view", 20)]


@pytest.mark.parametrize(("before", "after"), [(1, 2), (2, 1), (2, 3)])
def test_batches_left_open_by_another_number_of_workers_count_once(
    shop: Shop, worker: Callable[..., Ingest], history: History, monkeypatch: pytest.MonkeyPatch, before: int, after: int
) -> None:
    for number in range(20):
        shop.send(event(), visitor=f"v-{number}")
    for number in range(before):
        crashing = worker(f"old {number}", number, before)
        monkeypatch.setattr(crashing, "_trim", lambda _manifest: (_ for _ in ()).throw(StoreDown("killed here")))
        with pytest.raises(StoreDown):
            crashing.step()
        crashing._give_back()
    for number in range(20):
        shop.send(event("search", search_term="lamp"), visitor=f"v-{number}")
    for number in reversed(range(after)):
        started = worker(f"new {number}", number, after)
        while started.step():
            pass
    assert stored(history) == [("page_view", 20), ("search", 20)]
    assert history.rows("SELECT sum(events) FROM sessions") == [(40,)]


def test_large_entries_go_in_several_inserts_and_no_partition_waits_for_ever(
    shop: Shop, worker: Callable[..., Ingest], history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "INSERT_MOST_BYTES", 4_000)
    for number in range(40):
        shop.send(event("search", search_term="x" * 200), visitor=f"v-{number % 10}")
    carrying = worker()
    assert 5 <= carrying.step() <= 15
    shop.send(*(event("search", search_term="y" * 200) for _ in range(100)), visitor="v-0")
    steps = 1
    while carrying.step():
        steps += 1
    assert steps >= 4
    assert stored(history) == [("search", 140)]


def test_only_the_holder_of_the_lease_carries(shop: Shop, worker: Callable[..., Ingest], history: History) -> None:
    shop.send(event())
    first, second = worker("first"), worker("second")
    assert first.step() == 1
    shop.send(event())
    assert second.step() == 0
    assert first.step() == 1


def test_a_worker_that_lost_its_lease_writes_nothing_down(
    shop: Shop, worker: Callable[..., Ingest], redis_client: RedisClient, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.send(event())
    paused = worker("paused")
    monkeypatch.setattr(paused._lease, "hold", lambda: True)  # it believes so; the store knows better
    redis_client.set(keys.lease("ingest-0"), "another")
    assert paused.step() == 0
    assert redis_client.get(keys.manifest(0)) is None
    assert stored(history) == []


def test_an_unreadable_entry_is_kept_aside_and_the_others_go_on(
    shop: Shop, worker: Callable[..., Ingest], redis_client: RedisClient, history: History
) -> None:
    redis_client.xadd(keys.events(3), {"b": b"{", "c": b"", "o": b""})
    shop.send(event())
    assert worker().step() == 1
    (kept,) = redis_client.xrange(keys.unstored(3))
    assert b"cannot be read" in kept[1][b"error"]
    assert stored(history) == [("page_view", 1)]


def test_a_batch_that_is_mostly_unreadable_waits_for_a_worker_that_can_read_it(
    shop: Shop, worker: Callable[..., Ingest], redis_client: RedisClient, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(30):
        shop.send(event(), visitor=f"v-{number}")
    with monkeypatch.context() as wrong_version:
        wrong_version.setattr(ingest, "arrival_of", lambda _fields: (_ for _ in ()).throw(BadEntry("layout 2")))
        with pytest.raises(Braked, match="30 of 30 entries cannot be stored, the first because layout 2"):
            worker().step()
    assert not any(redis_client.xlen(keys.unstored(partition)) for partition in range(8))
    assert worker().step() == 30
    assert stored(history) == [("page_view", 30)]


def test_tells_the_age_of_the_oldest_waiting_event(
    shop: Shop, worker: Callable[..., Ingest], redis_client: RedisClient
) -> None:
    now_ms = int(time.time() * 1000)
    assert oldest_waiting_s(redis_client, 8, now_ms) == 0.0
    shop.send(event())
    assert 5.0 < oldest_waiting_s(redis_client, 8, now_ms + 10_000) < 11.0
    worker().step()
    assert oldest_waiting_s(redis_client, 8, now_ms + 10_000) == 0.0


def test_what_a_failover_takes_back_after_it_was_read_is_not_stored(
    shop: Shop, worker: Callable[..., Ingest], history: History, redis_client: RedisClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It had no replica, so it was not accepted, and its sender will send it again as something new."""
    shop.send(event())
    stream = keys.events(keys.partition_of("v-1", 8))
    carrying = worker(redis_wait_replicas=1)
    monkeypatch.setattr("tracker.ingest.wait_for_replicas", lambda *_: redis_client.xtrim(stream, maxlen=0))
    with pytest.raises(StoreDown, match="has taken back"):
        carrying.step()
    monkeypatch.setattr("tracker.ingest.wait_for_replicas", lambda *_: None)
    assert [carrying.step(), carrying.step()] == [0, 0]
    shop.send(event(), event())
    assert carrying.step() == 2
    assert stored(history) == [("page_view", 2)]


def test_nothing_is_stored_while_replicas_are_waited_for_in_vain(
    shop: Shop, worker: Callable[..., Ingest], history: History
) -> None:
    shop.send(event())
    with pytest.raises(StoreDown, match="replicas do not keep up"):
        worker(redis_wait_replicas=5, redis_timeout_s=0.1).step()
    assert stored(history) == []
    assert worker().step() == 1
