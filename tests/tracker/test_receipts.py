"""Every event that came in is accounted for, on real stores; and what is not is told."""

from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec
import pytest

from baliza.settings import Settings
from baliza.stores import History, RedisClient
from schema import keys
from tests.support.collecting import START, Shop, event
from tests.support.rows import event_row, insert_events
from tracker.collect import Tally
from tracker.observe import hour_of
from tracker.quarantine import set_aside_command
from tracker.receipts import Line, Numbers, Receipts, add_up, numbers_of, read_receipts, total

HOUR = START.replace(minute=0)
HOUR_S = int(HOUR.timestamp())
Read = Callable[..., Receipts]


@pytest.fixture
def read(redis_client: RedisClient, history: History, settings: Settings) -> Read:
    def now(**given: object) -> Receipts:
        return read_receipts(
            redis_client, history, settings, START - timedelta(hours=5), START + timedelta(hours=1), **given
        )

    return now


def tell(history: History, taken: int, hour: datetime = HOUR, site: str = "demo") -> None:
    names = "site, hour, received, taken, duplicate, consent, rejected"
    history.client().execute(f"INSERT INTO receipts ({names}) VALUES", [(site, hour, taken + 6, taken, 1, 2, 3)])


def store(history: History, people: int, bots: int = 0, at: datetime = START) -> None:
    rows = [event_row(received_at=at, occurred_at=at, bot="" if number < people else "says so")
            for number in range(people + bots)]  # fmt: skip
    insert_events(history, rows)


def test_hours_begin_in_utc() -> None:
    assert hour_of(round((START + timedelta(minutes=59, milliseconds=59_999)).timestamp() * 1000)) == HOUR_S


def test_lines_add_up_over_all_sources() -> None:
    where, other = ("demo", HOUR_S), ("a", HOUR_S)
    told, waiting = {where: Numbers(5, 1, 2, 3)}, {where: Numbers(4, 3, 2, 1), other: Numbers(1)}
    lines = add_up(told, {where: (3, 2)}, waiting, {})
    assert [line.site for line in lines] == ["a", "demo"]
    line = lines[1]
    assert line == Line("demo", HOUR, 21, 3, 2, 4, 4, 4, 4, 0)
    assert line.received == line.stored + line.bot + line.duplicate + line.consent + line.rejected + line.waiting


def test_a_lost_event_and_one_that_is_twice_do_not_make_a_sound_total() -> None:
    lines = [Line("demo", HOUR, 1, 1, 0, 0, 0, 0, 0, difference) for difference in (0, 2, -2)]
    assert total(lines, "demo").difference == 2
    assert total(lines[::2], "demo").difference == -2
    assert total(lines, "demo").received == 3


def test_what_cannot_be_read_has_no_numbers() -> None:
    context = msgspec.msgpack.encode({"s": "demo", "v": "", "r": HOUR_S * 1000 + 7, "d": "browser", "t": False, "y": 2})
    for fields in ({}, {b"c": b"", b"o": b""}, {b"c": context}, {b"c": context, b"o": b"\xc1"}):
        assert numbers_of(fields) is None
    assert numbers_of({b"c": context, b"o": b"\x91\xc0"}) == (("demo", HOUR_S), Numbers(1, 2, 0, 0))


@pytest.mark.redis
@pytest.mark.clickhouse
def test_what_waits_is_counted_by_what_became_of_it(shop: Shop, read: Read) -> None:
    same, order = event(), event("purchase", item="A", transaction_id="T-9")
    shop.send(same, same, event(consent="denied"), event(colour="red"), event("search", search_term="lamp"))
    shop.send(order)
    shop.send(event("purchase", item="A", transaction_id="T-9"), visitor="v-2")
    shop.send(event(), headers={"dnt": "1"})
    shop.send(event(colour="red"))
    shop.send(same)
    found = read()
    assert found.settled
    assert found.lines == [Line("demo", HOUR, 10, 0, 0, 3, 2, 2, 3, 0)]
    assert (found.entries, found.seen) == (6, 6)
    whole = Tally()
    for tally in shop.tallies:
        whole.add(tally)
    assert whole == Tally(received=10, taken=3, duplicate=3, consent=2, rejected=2)


@pytest.mark.redis
@pytest.mark.clickhouse
def test_what_is_stored_is_held_against_what_was_told(history: History, read: Read) -> None:
    tell(history, 7)
    store(history, 4, 3)
    assert read().lines == [Line("demo", HOUR, 13, 4, 3, 1, 2, 3, 0, 0)]
    assert read().sound


@pytest.mark.redis
@pytest.mark.clickhouse
@pytest.mark.parametrize(("people", "difference"), [(6, 1), (8, -1)])
def test_a_lost_event_and_one_that_is_twice_are_a_difference(
    history: History, read: Read, people: int, difference: int
) -> None:
    tell(history, 7)
    store(history, people)
    (line,) = read().lines
    assert line.difference == difference
    assert not read().sound


@pytest.mark.redis
@pytest.mark.clickhouse
def test_sites_and_hours_are_kept_apart_and_can_be_chosen(history: History, shop: Shop, read: Read) -> None:
    before = HOUR - timedelta(hours=1)
    tell(history, 2, before)
    store(history, 2, at=before + timedelta(minutes=59, seconds=59.999))
    tell(history, 1, site="other")
    shop.send(event())
    found = read().lines
    assert [(line.site, line.hour) for line in found] == [("demo", before), ("demo", HOUR), ("other", HOUR)]
    assert [line.difference for line in found] == [0, 0, 1]
    assert [line.site for line in read(site="other").lines] == ["other"]


@pytest.mark.redis
@pytest.mark.clickhouse
def test_events_from_before_there_were_receipts_are_no_difference(history: History, read: Read) -> None:
    store(history, 3, at=HOUR - timedelta(hours=2))
    assert read().sound
    tell(history, 2)
    store(history, 2)
    assert read().sound


@pytest.mark.redis
@pytest.mark.clickhouse
def test_what_cannot_be_stored_waits(shop: Shop, read: Read) -> None:
    shop.send(event(), event())
    partition = keys.partition_of("v-1", 8)
    ((stream_id, _),) = shop.redis.xrange(keys.events(partition))
    shop.redis.execute_command(*set_aside_command(partition, stream_id.decode(), "no such column", 7))
    found = read()
    assert (found.lines[0].waiting, found.entries, found.set_aside) == (2, 1, 1)


@pytest.mark.redis
@pytest.mark.clickhouse
def test_a_huge_backlog_is_read_as_far_as_wanted(shop: Shop, read: Read) -> None:
    for number in range(9):
        shop.send(event(), visitor=f"v-{number}")
    found = read(most_entries=5)
    assert (found.lines[0].waiting, found.seen, found.entries) == (5, 5, 9)


def open_batch(shop: Shop) -> None:
    """Of all that waits, as ingest does it before it writes."""
    ranges = {}
    for partition in range(8):
        if entries := shop.redis.xrange(keys.events(partition)):
            ranges[str(partition)] = (entries[0][0].decode(), entries[-1][0].decode())
    shop.redis.set(keys.manifest(0), msgspec.json.encode(ranges))


@pytest.mark.redis
@pytest.mark.clickhouse
@pytest.mark.parametrize(("events", "receipts"), [(0, 0), (2, 0), (2, 2)])
def test_a_batch_that_is_half_written_is_no_difference(
    shop: Shop, history: History, read: Read, events: int, receipts: int
) -> None:
    tell(history, 5)
    store(history, 5)
    shop.send(event(), event())
    open_batch(shop)
    shop.send(event(), visitor="v-2")
    if events:
        store(history, events)
    if receipts:
        tell(history, receipts)
    slept: list[float] = []
    found = read(tries=3, sleep=slept.append)
    assert (found.settled, found.sound, len(slept)) == (False, True, 2)


@pytest.mark.redis
@pytest.mark.clickhouse
@pytest.mark.parametrize("stored", [4, 8])
def test_a_batch_in_the_making_hides_no_more_than_itself(shop: Shop, history: History, read: Read, stored: int) -> None:
    tell(history, 5)
    store(history, stored)
    shop.send(event(), event())
    open_batch(shop)
    assert [line.difference for line in read(tries=1).lines] == [1 if stored < 5 else -1]


@pytest.mark.redis
@pytest.mark.clickhouse
def test_asks_again_when_a_stream_was_trimmed_meanwhile(
    shop: Shop, history: History, read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.send(event())
    ask, asked = History.rows, []

    def trim_meanwhile(self: History, *given: object) -> object:
        asked.append(1)
        if len(asked) == 1:
            shop.redis.xtrim(keys.events(keys.partition_of("v-1", 8)), maxlen=0)
        return ask(self, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(History, "rows", trim_meanwhile)
    found = read(sleep=lambda _s: None)
    assert found.settled
    assert found.lines == []
    assert len(asked) == 8
