"""What is kept aside: whole, bounded, and moved without loss."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from schema import keys
from tests.support.collecting import START, Shop, event
from tracker import quarantine
from tracker.quarantine import (
    Kept,
    all_kept,
    delete,
    find,
    forget_old,
    newest,
    put_back_command,
    set_aside_command,
    tallied,
)

pytestmark = pytest.mark.redis
PARTITION = keys.partition_of("v-1", 8)


def kept_of(shop: Shop, **which: Any) -> list[Kept]:
    return list(all_kept(shop.redis, 8, **which))


def test_a_refused_event_is_kept_whole_with_what_its_request_said(shop: Shop) -> None:
    big = event(colour="r" * 20_000)
    shop.post({"key": "pk_demo", "visitor": "v-1", "sent_at": (START - timedelta(hours=1)).isoformat(), "events": [big]},
              {"user-agent": "Firefox"})  # fmt: skip
    (kept,) = kept_of(shop)
    assert (kept.kind, kept.site, kept.sender, kept.visitor, kept.cut) == ("refused", "demo", "browser", "v-1", False)
    assert kept.at == shop.now
    assert "r" * 20_000 in kept.event
    assert kept.error.startswith("expected known fields only")
    assert kept.shift_ms == 3_660_000
    context = kept.context
    assert context is not None
    assert (context.network, context.user_agent, context.trusted) == ("192.0.2.0/24", "Firefox", True)
    assert find(shop.redis, 8, kept.id) == kept


def test_an_event_that_is_too_long_is_cut_and_says_so(shop: Shop) -> None:
    shop.send(event(colour="r" * 100_000))
    (kept,) = kept_of(shop)
    assert (kept.cut, len(kept.event)) == (True, 32_768)


def test_can_be_chosen_by_site_reason_and_time(shop: Shop) -> None:
    shop.send(event(colour="red"))
    shop.now += timedelta(hours=1)
    shop.send(event("add_to_cart"), visitor="v-2")
    assert len(kept_of(shop)) == 2
    assert [kept.visitor for kept in kept_of(shop, reason="KNOWN fields")] == ["v-1"]
    assert [kept.visitor for kept in kept_of(shop, since=shop.now)] == ["v-2"]
    assert kept_of(shop, site="other") == []
    assert [kept.visitor for kept in newest(kept_of(shop), 1)] == ["v-2"]


@pytest.mark.parametrize("name", ["", "r", "r-0", "r-99-1-0", "r-1-x", "x-1-1-0", "r-1-1-0-0", "u-0-1-0", "r-²-1-0"])
def test_an_id_that_names_nothing_finds_nothing(shop: Shop, name: str) -> None:
    assert find(shop.redis, 8, name) is None


def test_the_oldest_make_room_by_number_and_are_counted(shop: Shop) -> None:
    for number in range(keys.QUARANTINE_MAX_ENTRIES // 100 + 1):
        shop.send(*[event(colour=f"red-{number}")] * 100)
    tally = tallied(shop.redis, 8)
    assert (tally.refused, tally.thrown) == (keys.QUARANTINE_MAX_ENTRIES, 100)
    assert not [kept for kept in kept_of(shop) if "red-0" in kept.event]


def test_the_oldest_make_room_by_bytes_and_are_counted(shop: Shop) -> None:
    for _ in range(10):
        shop.send(*[event(colour="r" * 30_000)] * 10)
    tally = tallied(shop.redis, 8)
    assert 60 < tally.refused < 70
    assert tally.refused + tally.thrown == 100
    assert keys.QUARANTINE_MAX_BYTES - 32_768 < tally.bytes <= keys.QUARANTINE_MAX_BYTES
    assert shop.redis.memory_usage(keys.quarantine(PARTITION)) < 1.3 * keys.QUARANTINE_MAX_BYTES


def test_what_is_too_old_is_forgotten(shop: Shop) -> None:
    shop.send(event(colour="red"))
    now_ms = int(datetime.now(UTC).timestamp() * 1000)
    assert forget_old(shop.redis, 8, now_ms + keys.QUARANTINE_MAX_AGE_MS - 60_000) == 0
    assert forget_old(shop.redis, 8, now_ms + keys.QUARANTINE_MAX_AGE_MS + 60_000) == 1
    tally = tallied(shop.redis, 8)
    assert (tally.refused, tally.aged, tally.thrown, tally.bytes) == (0, 1, 0, 0)


def test_deleting_gives_the_room_back(shop: Shop) -> None:
    shop.send(event(colour="red"), event(colour="blue"))
    first, second = kept_of(shop)
    assert delete(shop.redis, first)
    assert not delete(shop.redis, first)
    assert kept_of(shop) == [second]
    assert delete(shop.redis, second)
    assert tallied(shop.redis, 8).bytes == 0


def the_entry(shop: Shop) -> tuple[str, dict[bytes, bytes]]:
    ((stream_id, fields),) = shop.redis.xrange(keys.events(PARTITION))
    return stream_id.decode(), fields


def test_an_entry_is_set_aside_once_and_put_back_as_it_was(shop: Shop) -> None:
    shop.send(event(), event("search", search_term="lamp"))
    stream_id, before = the_entry(shop)
    aside = set_aside_command(PARTITION, stream_id, "no such column", 7)
    assert [shop.redis.execute_command(*aside) for _ in range(2)] == [1, 0]
    assert shop.redis.xlen(keys.events(PARTITION)) == 0
    (kept,) = kept_of(shop)
    assert (kept.kind, kept.site, kept.error, kept.at) == ("unstored", "demo", "no such column", shop.now)
    assert "lamp" in kept.event
    back = put_back_command(PARTITION, kept.stream_id)
    assert [shop.redis.execute_command(*back) for _ in range(2)] == [1, 0]
    assert the_entry(shop)[1] == before
    assert kept_of(shop) == []


def test_accepted_events_that_are_deleted_leave_their_number_as_rejected(shop: Shop) -> None:
    same = event()
    shop.send(same, same, event(colour="red"), event(consent="denied"))
    shop.redis.execute_command(*set_aside_command(PARTITION, the_entry(shop)[0], "no such column", 7))
    unstored = next(kept for kept in kept_of(shop) if kept.kind == "unstored")
    assert delete(shop.redis, unstored)
    _, fields = the_entry(shop)
    context = quarantine._read_context(fields[b"c"])
    assert context is not None
    assert (context.offered, context.rejected, context.consent, context.visitor_id) == (1, 2, 1, "")
    assert b"b" not in fields


def test_an_entry_that_cannot_be_read_can_be_kept_and_deleted(shop: Shop) -> None:
    stream_id = shop.redis.xadd(keys.events(3), {"b": b"{", "c": b"", "o": b""}).decode()
    shop.redis.execute_command(*set_aside_command(3, stream_id, "cannot be read", 1_000))
    (kept,) = kept_of(shop)
    assert (kept.site, kept.sender, kept.at) == ("", "", datetime.fromtimestamp(1, UTC))
    assert delete(shop.redis, kept)


def test_what_an_older_version_kept_is_shown(shop: Shop) -> None:
    old = {"site": "demo", "at": 1_000, "error": "expected", "event": b"{\xff"}
    shop.redis.xadd(keys.quarantine(0), old)
    (kept,) = kept_of(shop)
    assert (kept.site, kept.event, kept.context, kept.shift_ms) == ("demo", "{�", None, 0)
