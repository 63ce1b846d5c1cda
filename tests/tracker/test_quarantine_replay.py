"""What was refused by mistake is taken in as if it never had been, once; and the receipts say so."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from click.testing import CliRunner, Result

from baliza.errors import StoreDown
from baliza.lease import Lease
from baliza.settings import Settings
from baliza.sites import add_site, load_sites
from baliza.stores import History, RedisClient
from schema import keys
from tests.conftest import ON_CLUSTER
from tests.support.collecting import START, Shop, event
from tests.support.rows import event_row, insert_events
from tests.tracker.test_admission import strict
from tracker import beacon
from tracker.checks import Problem
from tracker.quarantine import Kept, all_kept, set_aside_command
from tracker.quarantine_cli import quarantine
from tracker.quarantine_replay import BACK, CONSENT, DUPLICATE, STAYS, TAKEN, Again, Fate
from tracker.receipts import Line, read_receipts

pytestmark = [pytest.mark.redis, pytest.mark.clickhouse]
PARTITION = keys.partition_of("v-1", 8)
HOUR = START.replace(minute=0)


@pytest.fixture
def again(redis_client: RedisClient, history: History, settings: Settings, shop: Shop) -> Callable[[Kept], Fate]:
    def take(kept: Kept, **given: bool) -> Fate:
        now_ms = int(shop.now.timestamp() * 1000)
        return Again(redis_client, history, settings, load_sites(redis_client), lambda: now_ms).take(kept, **given)

    return take


@pytest.fixture
def lines(redis_client: RedisClient, history: History, settings: Settings) -> Callable[[], list[Line]]:
    def read() -> list[Line]:
        return read_receipts(redis_client, history, settings, START, START + timedelta(days=20)).lines

    return read


@contextmanager
def mistaken(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A version of the collector that refuses everything."""
    with monkeypatch.context() as wrong:
        wrong.setattr(beacon, "find_problem", lambda *_: Problem("something else", "this", "type"))
        yield


@pytest.fixture
def refuse(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Kept]:
    def send(sent: dict[str, Any], **given: Any) -> Kept:
        with mistaken(monkeypatch):
            answer = shop.send(sent, **given)
        assert answer.status == 400
        (kept,) = all_kept(shop.redis, 8)
        return kept

    return send


def kept_of(shop: Shop) -> list[Kept]:
    return list(all_kept(shop.redis, 8))


def test_is_taken_in_as_of_the_time_at_which_it_came(
    shop: Shop, refuse: Callable[..., Kept], again: Callable[..., Fate], lines: Callable[[], list[Line]]
) -> None:
    kept = refuse(event("search", search_term="lamp"), headers={"user-agent": "Firefox"})
    assert lines() == [Line("demo", HOUR, 1, 0, 0, 0, 0, 1, 0, 0)]
    shop.now += timedelta(days=10)
    assert again(kept) == Fate(TAKEN)
    assert kept_of(shop) == []
    assert lines() == [Line("demo", HOUR, 1, 0, 0, 0, 0, 0, 1, 0)]
    (entry,) = [fields for _, fields in shop.redis.xrange(keys.events(PARTITION)) if b"b" in fields]
    assert b"lamp" in entry[b"b"]
    assert b"Firefox" in entry[b"c"]
    assert b"192.0.2.0/24" in entry[b"c"]


def test_the_clients_clock_is_corrected_as_it_would_have_been(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, again: Callable[..., Fate]
) -> None:
    wrong_by = timedelta(days=400)
    body = {
        "key": "pk_demo", "visitor": "v-1", "sent_at": (shop.now - wrong_by).isoformat(),
        "events": [event(at=START - wrong_by)],
    }  # fmt: skip
    with mistaken(monkeypatch):
        assert shop.post(body).status == 400
    (kept,) = kept_of(shop)
    assert again(kept) == Fate(TAKEN)
    profile = shop.redis.get(keys.visitor(PARTITION, "demo", "v-1"))
    assert profile


def test_what_came_again_meanwhile_is_a_duplicate(
    shop: Shop, refuse: Callable[..., Kept], again: Callable[..., Fate], lines: Callable[[], list[Line]]
) -> None:
    sent = event()
    kept = refuse(sent)
    shop.send(sent)
    assert again(kept) == Fate(DUPLICATE)
    assert kept_of(shop) == []
    assert lines() == [Line("demo", HOUR, 2, 0, 0, 1, 0, 0, 1, 0)]


def test_what_only_the_history_remembers_is_a_duplicate(
    shop: Shop, refuse: Callable[..., Kept], again: Callable[..., Fate], history: History
) -> None:
    sent = event()
    kept = refuse(sent)
    insert_events(history, [event_row(event_id=sent["event_id"], occurred_at=START)])
    shop.now += timedelta(days=10)
    assert again(kept) == Fate(DUPLICATE)
    assert not [1 for _, fields in shop.redis.xrange(keys.events(PARTITION)) if b"b" in fields]


def test_an_order_that_was_counted_meanwhile_is_a_duplicate(
    shop: Shop, refuse: Callable[..., Kept], again: Callable[..., Fate], lines: Callable[[], list[Line]]
) -> None:
    kept = refuse(event("purchase", item="A", transaction_id="T-1"))
    shop.send_as_server(event("purchase", item="A", transaction_id="T-1"), visitor="v-2")
    assert again(kept) == Fate(DUPLICATE)
    assert lines() == [Line("demo", HOUR, 2, 0, 0, 1, 0, 0, 1, 0)]


def test_an_order_is_claimed_and_settled(shop: Shop, refuse: Callable[..., Kept], again: Callable[..., Fate]) -> None:
    kept = refuse(event("purchase", item="A", transaction_id="T-1"))
    assert again(kept) == Fate(TAKEN)
    assert shop.redis.hget(keys.orders(keys.partition_of("T-1", 8), "demo"), "T-1") == b"+"


def test_an_order_that_somebody_is_recording_stays(
    shop: Shop, refuse: Callable[..., Kept], again: Callable[..., Fate]
) -> None:
    kept = refuse(event("purchase", item="A", transaction_id="T-1"))
    held = f"somebody:{int(shop.now.timestamp() * 1000)}"
    shop.redis.hset(keys.orders(keys.partition_of("T-1", 8), "demo"), "T-1", held)
    assert again(kept).name == STAYS
    assert kept_of(shop) == [kept]


def test_what_is_still_wrong_stays_with_the_new_reason(shop: Shop, again: Callable[..., Fate]) -> None:
    shop.send(event(colour="red"))
    shop.redis.xtrim(keys.events(PARTITION), maxlen=0)
    (kept,) = kept_of(shop)
    kept.error = "what an older version said"
    fate = again(kept)
    assert (fate.name, fate.why.startswith("expected known fields only")) == (STAYS, True)
    assert shop.redis.hget(keys.quarantine_tally(PARTITION), f"why:{kept.stream_id}").decode() == fate.why
    assert [each.error for each in kept_of(shop)] == [fate.why]


def test_consent_that_a_site_asks_for_now_counts(
    shop: Shop, refuse: Callable[..., Kept], again: Callable[..., Fate], lines: Callable[[], list[Line]]
) -> None:
    kept = refuse(event())
    strict(shop.redis)
    assert again(kept) == Fate(CONSENT)
    assert kept_of(shop) == []
    assert lines() == [Line("demo", HOUR, 1, 0, 0, 0, 1, 0, 0, 0)]


def test_what_cannot_be_judged_again_stays(shop: Shop, refuse: Callable[..., Kept], again: Callable[..., Fate]) -> None:
    kept = refuse(event())
    shop.redis.hdel(keys.SITES, "demo")
    assert again(kept) == Fate(STAYS, "there is no site 'demo' any more")
    kept.cut = True
    assert again(kept) == Fate(STAYS, "it was not kept whole")


def test_a_full_store_loses_nothing(
    shop: Shop, refuse: Callable[..., Kept], again: Callable[..., Fate], lines: Callable[[], list[Line]]
) -> None:
    kept = refuse(event())
    ((store, _),) = shop.redis.each_master([keys.events(PARTITION)]) if ON_CLUSTER else ((shop.redis, ""),)
    store.config_set("maxmemory", "1mb")
    try:
        with pytest.raises(StoreDown):
            again(kept)
    finally:
        store.config_set("maxmemory", "0")
    assert kept_of(shop) == [kept]
    assert lines() == [Line("demo", HOUR, 1, 0, 0, 0, 0, 1, 0, 0)]
    assert again(kept) == Fate(TAKEN)


def test_a_dry_run_changes_nothing(shop: Shop, refuse: Callable[..., Kept], again: Callable[..., Fate]) -> None:
    kept = refuse(event())
    before = shop.redis.xlen(keys.events(PARTITION))
    assert again(kept, dry_run=True) == Fate(TAKEN)
    assert kept_of(shop) == [kept]
    assert shop.redis.xlen(keys.events(PARTITION)) == before


def test_what_could_not_be_stored_goes_back_to_ingest(
    shop: Shop, again: Callable[..., Fate], lines: Callable[[], list[Line]]
) -> None:
    shop.send(event())
    ((stream_id, fields),) = shop.redis.xrange(keys.events(PARTITION))
    shop.redis.execute_command(*set_aside_command(PARTITION, stream_id.decode(), "no such column", 7))
    (kept,) = kept_of(shop)
    assert again(kept, dry_run=True) == Fate(BACK)
    assert kept_of(shop) == [kept]
    assert again(kept) == Fate(BACK)
    assert [found for _, found in shop.redis.xrange(keys.events(PARTITION))] == [fields]
    assert lines() == [Line("demo", HOUR, 1, 0, 0, 0, 0, 0, 1, 0)]


def run(settings: Settings, *args: str) -> Result:
    env = {
        "BALIZA_REDIS_URL": settings.redis_url,
        "BALIZA_CLICKHOUSE_URL": settings.clickhouse_url,
        "BALIZA_PARTITIONS": "8",
    }
    return CliRunner(env=env).invoke(quarantine, ["replay", *args])


@pytest.mark.usefixtures("closing_stores", "history")
def test_the_command_tells_what_became_of_them(shop: Shop, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    add_site(shop.redis, "other", ["*"], publishable_key="pk_other", secret_key="sk_other")
    with mistaken(monkeypatch):
        for number in range(5):
            shop.send(event(), visitor=f"v-{number}")
    shop.send(event(colour="red"))
    result = run(settings, "--dry-run")
    assert result.output.startswith("would be: 5 taken, 1 stays\n  1 stay: expected known fields only")
    assert run(settings, "--site", "other").output == "replayed: nothing to do\n"
    assert run(settings, "--reason", "SOMETHING ELSE", "--limit", "2").output == "replayed: 2 taken\n"
    assert len(kept_of(shop)) == 4
    (chosen, *_) = (kept for kept in kept_of(shop) if "something else" in kept.error)
    assert run(settings, chosen.id).exit_code == 0
    result = run(settings)
    assert (result.exit_code, "2 taken, 1 stays" in result.output) == (1, True)


@pytest.mark.usefixtures("closing_stores", "history")
def test_two_at_once_would_count_twice_so_one_waits_for_the_other(
    shop: Shop, settings: Settings, refuse: Callable[..., Kept]
) -> None:
    kept = refuse(event())
    assert Lease(shop.redis, "quarantine-replay", "another", time.monotonic).hold()
    result = run(settings)
    assert result.exit_code == 1
    assert "another replay is going on" in result.output
    assert kept_of(shop) == [kept]
