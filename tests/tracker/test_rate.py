"""Rate limits: what is let in, who is told to wait and for how long, and how little is remembered."""

import tracemalloc
from copy import deepcopy
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baliza.errors import TooManyEvents
from baliza.settings import Settings
from schema.events import MAX_EVENTS_PER_BATCH
from tracker.rate import MOST_SENDERS, SPREAD_S, RateLimit, RateLimits, limited
from tracker.request import truncated

NOW = 1_795_312_800_000
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS


def let_in(limit: RateLimit, sender: str, events: int, now_ms: int) -> bool:
    return limit.take(sender, events, now_ms) == 0


def test_after_the_burst_events_come_at_the_rate() -> None:
    limit = RateLimit(per_minute=60, burst=10)
    assert [let_in(limit, "a", 1, NOW) for _ in range(12)] == [True] * 10 + [False] * 2
    assert [let_in(limit, "a", 1, NOW + 1000) for _ in range(2)] == [True, False]
    seconds = range(2, 62)
    assert sum(let_in(limit, "a", 1, NOW + 1000 * second + part) for second in seconds for part in (0, 300, 600)) == 60
    assert sum(let_in(limit, "a", 1, NOW + HOUR_MS) for _ in range(12)) == 10, "a pause gives the whole burst back"


def test_one_sender_is_not_another() -> None:
    limit = RateLimit(per_minute=60, burst=1)
    assert let_in(limit, "a", 1, NOW)
    assert let_in(limit, "b", 1, NOW)
    assert not let_in(limit, "a", 1, NOW)


def test_no_batch_is_too_large_and_what_it_was_over_is_waited_for() -> None:
    limit = RateLimit(per_minute=60, burst=10)
    assert let_in(limit, "a", 100, NOW)
    assert limit.take("a", 1, NOW) == 91_000
    assert not let_in(limit, "a", 1, NOW + 90_999)
    assert let_in(limit, "a", 1, NOW + 91_000)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    st.integers(1, 100_000), st.integers(1, 10_000),
    st.lists(st.tuples(st.integers(0, 5000), st.integers(1, MAX_EVENTS_PER_BATCH)), min_size=1, max_size=60),
)  # fmt: skip
def test_never_more_than_burst_and_rate_and_one_batch(per_minute: int, burst: int, batches: list[tuple[int, int]]) -> None:
    limit, now_ms, taken = RateLimit(per_minute, burst, most_senders=3), NOW, 0
    for number, (gap_ms, events) in enumerate(batches):
        now_ms += gap_ms
        limit.take(f"other-{number % 2}", 1, now_ms)
        if wait_ms := limit.take("a", events, now_ms):
            assert not deepcopy(limit).take("a", 1, now_ms + int(wait_ms) + 1), "who comes back when told is let in"
        else:
            taken += events
        assert taken < burst + (now_ms - NOW) * per_minute / MINUTE_MS + MAX_EVENTS_PER_BATCH + 1


@pytest.mark.parametrize("back_ms", [HOUR_MS, 24 * HOUR_MS])
def test_a_clock_that_is_set_back_refuses_nobody(back_ms: int) -> None:
    limit = RateLimit(per_minute=3000, burst=6000)
    assert not limit.take("a", 1000, NOW)
    assert [let_in(limit, "a", 1000, NOW - back_ms) for _ in range(10)] == [True] * 6 + [False] * 4


def test_a_flood_of_senders_is_forgotten_and_one_who_goes_on_is_not() -> None:
    limit = RateLimit(per_minute=60, burst=10, most_senders=1000)
    assert let_in(limit, "busy", 1000, NOW)
    for number in range(50_000):
        limit.take(f"v-{number}", 1, NOW + number // 100)
        if number % 500 == 0:
            assert not let_in(limit, "busy", 1, NOW + number // 100)
    assert limit.remembered <= 2 * 1001


def test_who_was_silent_is_forgotten() -> None:
    limit = RateLimit(per_minute=3000, burst=6000)
    for number in range(1000):
        limit.take(number, 1, NOW)
    for round_ms in range(0, HOUR_MS, MINUTE_MS):
        limit.take("a", 1, NOW + round_ms)
    assert limit.remembered <= 2


def test_a_full_memory_is_a_few_megabytes() -> None:
    limit = RateLimit(per_minute=3000, burst=6000)
    tracemalloc.start()
    try:
        for number in range(3 * MOST_SENDERS):
            limit.take(hash(("demo", f"v-{number}")), 1, NOW + number)
        assert tracemalloc.get_traced_memory()[0] < 8_000_000
    finally:
        tracemalloc.stop()


FEW = replace(
    Settings(), visitor_events_per_minute=60, visitor_burst=10, network_events_per_minute=600, network_burst=100,
    server_events_per_minute=120,
)  # fmt: skip
NETWORK = "198.51.100.0/24"


def count_one(limits: RateLimits, visitor: str, events: int = 1, network: str = NETWORK, now_ms: int = NOW) -> None:
    limits.check_network(network, now_ms)
    limits.count_browser("demo", visitor, network, events, now_ms)


def test_a_visitor_is_told_how_long_to_wait() -> None:
    limits = RateLimits(FEW)
    count_one(limits, "v-1", 30)
    with pytest.raises(TooManyEvents, match=r"^expected at most 60 events a minute from one visitor, got more") as error:
        count_one(limits, "v-1")
    assert error.value.retry_after_s == 21
    count_one(limits, "v-2")
    limits.count_browser("other", "v-1", NETWORK, 1, NOW)
    count_one(limits, "v-1", now_ms=NOW + 21_000)


def test_a_network_is_refused_before_it_is_known_who_sends() -> None:
    limits = RateLimits(FEW)
    for number in range(9):
        count_one(limits, f"v-{number}", 10)
    count_one(limits, "v-9", 110)
    with pytest.raises(TooManyEvents, match="600 events a minute from one network") as error:
        limits.check_network(NETWORK, NOW)
    assert error.value.retry_after_s == 11
    limits.check_network("203.0.113.0/24", NOW)


def test_garbage_counts_for_the_network() -> None:
    limits = RateLimits(FEW)
    for _ in range(100):
        limits.check_network(NETWORK, NOW)
    with pytest.raises(TooManyEvents):
        limits.check_network(NETWORK, NOW)


def test_those_of_a_network_do_not_all_come_back_in_the_same_second() -> None:
    limits, told = RateLimits(FEW), set()
    count_one(limits, "v-1", 200)
    for _ in range(100):
        with pytest.raises(TooManyEvents) as error:
            limits.check_network(NETWORK, NOW)
        told.add(error.value.retry_after_s)
    assert told == set(range(11, 11 + SPREAD_S))


def test_a_server_has_a_ceiling_only_where_one_is_set() -> None:
    limits = RateLimits(FEW)
    limits.count_server("demo", 500, NOW)
    with pytest.raises(TooManyEvents, match="120 events a minute of one site with the secret key"):
        limits.count_server("demo", 1, NOW)
    limits.count_server("other", 1, NOW)
    unlimited = RateLimits(Settings())
    for _ in range(10_000):
        unlimited.count_server("demo", 1000, NOW)


def test_0_is_no_limit() -> None:
    limits = RateLimits(replace(FEW, visitor_events_per_minute=0, network_events_per_minute=0))
    for _ in range(1000):
        count_one(limits, "v-1", 1000)


def test_the_defaults_let_a_busy_office_and_a_fast_visitor_through() -> None:
    """Five thousand people behind one address who each look at 30 things a minute, and one who scrolls past 50 a second."""
    limits = RateLimits(Settings())
    for minute in range(10):
        for person in range(5000):
            count_one(limits, f"v-{person}", 30, now_ms=NOW + minute * MINUTE_MS + person * 12)
    for second in range(120):
        count_one(limits, "scroller", 50, now_ms=NOW + 10 * MINUTE_MS + second * 1000)


@pytest.mark.parametrize(
    ("address", "is_limited"),
    [
        ("8.8.8.8", True), ("2001:4860:4860::8888", True), ("172.32.0.1", True), ("100.128.0.1", True),
        ("127.0.0.1", False), ("10.1.2.3", False), ("172.17.0.1", False), ("192.168.1.1", False), ("169.254.1.1", False),
        ("100.64.7.7", False), ("::1", False), ("fd00::1", False), ("fe80::1", False), ("::ffff:8.8.8.8", False),
        ("unknown", False), ("", False),
    ],
)  # fmt: skip
def test_networks_that_nobody_has_on_the_internet_are_not_limited(address: str, is_limited: bool) -> None:
    assert limited(truncated(address)) == is_limited
