"""The loop into the history, on real engines: exactly once, whatever happens in between."""

import dataclasses
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from baliza import metrics
from baliza.errors import StoreDown
from baliza.lease import Lease
from baliza.settings import Settings
from baliza.stores import History, RedisClient
from schema import keys
from tests.support.collecting import START, Shop, event
from tracker import ingest
from tracker.brake import Braked, braked
from tracker.ingest import Ingest, oldest_waiting_s
from tracker.quarantine import all_kept, put_back_command
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


def test_notes_on_whose_browser_a_customer_was_known_last(
    shop: Shop, worker: Callable[..., Ingest], redis_client: RedisClient
) -> None:
    def noted() -> dict[bytes, bytes]:
        return redis_client.hgetall(keys.customer(keys.partition_of("anna", 8), "demo", "anna"))

    def ms(at: int) -> bytes:
        return b"%d" % int((START + timedelta(seconds=at)).timestamp() * 1000)

    shop.send(event(at=8, customer_id="anna"), visitor="v-new")
    shop.send(event(at=3, customer_id="anna"), visitor="v-old")
    worker().step()
    assert noted() == {b"visitor": b"v-new", b"seen_at": ms(8)}
    shop.send(event(at=7, customer_id="anna"), visitor="v-older")
    worker().step()
    assert noted()[b"visitor"] == b"v-new"
    shop.send(event("purchase", at=9, item="A", customer_id="anna"), visitor="v-newest")
    worker().step()
    assert noted() == {b"visitor": b"v-newest", b"seen_at": ms(9), b"last_purchase": ms(9)}


def test_who_stays_on_one_browser_is_noted_now_and_then(
    shop: Shop, worker: Callable[..., Ingest], redis_client: RedisClient
) -> None:
    carrying = worker()
    shop.now = START + timedelta(hours=1)

    def noted_after(at: int, visitor: str) -> tuple[bytes, int]:
        shop.send(event(at=at, customer_id="anna"), visitor=visitor)
        carrying.step()
        found = redis_client.hgetall(keys.customer(keys.partition_of("anna", 8), "demo", "anna"))
        return found[b"visitor"], int(found[b"seen_at"]) // 1000 - int(START.timestamp())

    assert noted_after(0, "v-1") == (b"v-1", 0)
    assert noted_after(600, "v-1") == (b"v-1", 0)
    assert noted_after(601, "v-1") == (b"v-1", 601)
    assert noted_after(602, "v-2") == (b"v-2", 602)
    assert noted_after(603, "v-1") == (b"v-1", 603)


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


@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.usefixtures("own_database")
def test_a_poison_entry_is_set_aside_and_the_others_are_stored_once(
    shop: Shop, worker: Callable[..., Ingest], history: History, redis_client: RedisClient, killed: bool
) -> None:
    history.rows("ALTER TABLE events ADD CONSTRAINT sound CHECK search_term != 'poison'")
    for number in range(12):
        shop.send(event("search", search_term="poison" if number in (0, 7) else "lamp"), visitor=f"v-{number}")
    carrying = worker()
    if killed:
        carrying._trim = lambda _manifest: (_ for _ in ()).throw(StoreDown("killed here"))  # type: ignore[method-assign]
        with pytest.raises(StoreDown):
            carrying.step()
    assert worker().step() == 10
    kept = [fields for n in range(8) for _, fields in redis_client.xrange(keys.unstored(n))]
    assert [b"poison" in fields[b"b"] and b"Constraint `sound`" in fields[b"error"] for fields in kept] == [True, True]
    assert stored(history) == [("search", 10)]
    assert history.rows("SELECT sum(events), (SELECT sum(taken) FROM receipts) FROM sessions") == [(10, 10)]
    # Put back after a mend, they are stored too.
    history.rows("ALTER TABLE events DROP CONSTRAINT sound")
    for each in all_kept(redis_client, 8):
        redis_client.execute_command(*put_back_command(each.partition, each.stream_id))
    assert worker().step() == 2
    assert stored(history) == [("search", 12)]
    assert history.rows("SELECT sum(events), (SELECT sum(taken) FROM receipts) FROM sessions") == [(12, 12)]


@pytest.mark.usefixtures("own_database")
def test_with_more_poison_than_one_search_finds_the_rest_is_still_stored(
    shop: Shop, worker: Callable[..., Ingest], history: History, redis_client: RedisClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tracker.insertion.CULPRITS_MOST", 2)
    history.rows("ALTER TABLE events ADD CONSTRAINT sound CHECK search_term != 'poison'")
    for number in range(12):
        shop.send(event("search", search_term="poison" if number % 4 == 0 else "lamp"), visitor=f"v-{number}")
    assert worker().step() == 9
    assert sum(redis_client.xlen(keys.unstored(n)) for n in range(8)) == 3
    assert stored(history) == [("search", 9)]


@pytest.mark.usefixtures("own_database")
def test_a_column_that_is_gone_brakes_and_its_return_releases(
    shop: Shop, worker: Callable[..., Ingest], history: History, redis_client: RedisClient, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    monkeypatch.setattr(ingest, "BRAKED_WAIT_S", 0.05)
    for number in range(30):
        shop.send(event("search", search_term="lamp"), visitor=f"v-{number}")
    history.rows("ALTER TABLE events DROP COLUMN search_term")
    carrying, stop = worker(), threading.Event()
    thread = threading.Thread(target=carrying.run, args=(stop,))
    thread.start()
    try:
        until(lambda: braked(redis_client, 1))
        assert "a sound event is refused as well" in braked(redis_client, 1)[0]
        assert metrics.INGEST_BRAKED._value.get() == 1
        until(lambda: metrics.INGEST_FAILURES._value.get() > 5)
        assert stored(history) == []
        assert sum(redis_client.xlen(keys.unstored(n)) + redis_client.xlen(keys.quarantine(n)) for n in range(8)) == 0
        # Said once, however often it was tried.
        assert caplog.text.count("BRAKED: nothing is carried") == 1
        history.rows("ALTER TABLE events ADD COLUMN search_term String AFTER placement")
        until(lambda: not braked(redis_client, 1))
    finally:
        stop.set()
        thread.join(20)
    assert history.rows("SELECT count(), uniqExact(event_id), any(search_term) FROM events") == [(30, 30, "lamp")]
    assert metrics.INGEST_BRAKED._value.get() == 0
    assert "the brake is released" in caplog.text


def test_a_backlog_goes_without_a_pause_and_a_trickle_waits(
    shop: Shop, worker: Callable[..., Ingest], history: History
) -> None:
    carrying = worker(ingest_max_events=8 * 50)
    for _ in range(120):
        shop.send(event())
    assert (carrying.step(), carrying._backlog) == (50, True)
    assert (carrying.step(), carrying._backlog) == (50, True)
    assert (carrying.step(), carrying._backlog) == (20, False)


def test_receipts_of_requests_without_news_are_carried_too(
    shop: Shop, worker: Callable[..., Ingest], history: History, redis_client: RedisClient
) -> None:
    again = event()
    shop.send(again)
    worker().step()
    shop.send(again)
    assert worker().step() == 0
    assert [redis_client.xlen(keys.events(n)) for n in range(8)] == [0] * 8
    assert history.rows("SELECT sum(received), sum(taken), sum(duplicate) FROM receipts") == [(2, 1, 1)]


def until(happened: Callable[[], object], within_s: float = 30.0) -> None:
    over = time.monotonic() + within_s
    while not happened():
        assert time.monotonic() < over, "it did not happen"
        time.sleep(0.02)
