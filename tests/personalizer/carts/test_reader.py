"""Carts in a real live store."""

import pytest

from baliza.stores import RedisClient
from personalizer.carts.cart import CartState, Place
from personalizer.carts.reader import CartReader
from schema import keys
from tests.personalizer.planted import NOW_MS, PARTITIONS, note_purchase, observe

pytestmark = pytest.mark.redis
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS


@pytest.fixture
def reader(redis_client: RedisClient) -> CartReader:
    return CartReader(redis_client, PARTITIONS, HOUR_MS)


def fill(redis: RedisClient, visitor_id: str, idle_ms: int, customer_id: str = "", site: str = "demo") -> None:
    observe(redis, visitor_id, "add_to_cart", ["lamp"], at_ms=NOW_MS - idle_ms, customer_id=customer_id, site=site)


def listed(reader: CartReader, limit: int = 50, before: Place | None = None, since: int = 0) -> list[str]:
    page = reader.abandoned("demo", since, NOW_MS + 1, before, limit, NOW_MS)
    return [cart.visitor_id for cart in page.carts]


def test_lists_idle_carts_newest_first(redis_client: RedisClient, reader: CartReader) -> None:
    for number in range(10):
        fill(redis_client, f"v-{number}", HOUR_MS + number * MINUTE_MS)
    fill(redis_client, "still-open", HOUR_MS - 1)
    fill(redis_client, "elsewhere", 2 * HOUR_MS, site="other")
    assert listed(reader) == [f"v-{number}" for number in range(10)]


def test_an_emptied_cart_is_not_abandoned(redis_client: RedisClient, reader: CartReader) -> None:
    fill(redis_client, "v-1", 3 * HOUR_MS)
    observe(redis_client, "v-1", "remove_from_cart", ["lamp"], at_ms=NOW_MS - 2 * HOUR_MS)
    assert listed(reader) == []


def test_a_change_restarts_the_clock(redis_client: RedisClient, reader: CartReader) -> None:
    fill(redis_client, "v-1", 3 * HOUR_MS)
    observe(redis_client, "v-1", "add_to_cart", ["bulb"], at_ms=NOW_MS - MINUTE_MS)
    assert listed(reader) == []


def test_a_purchase_of_the_customer_in_another_session_takes_the_cart_off(
    redis_client: RedisClient, reader: CartReader
) -> None:
    fill(redis_client, "phone", 3 * HOUR_MS, customer_id="c-1")
    fill(redis_client, "laptop", 2 * HOUR_MS, customer_id="c-2")
    note_purchase(redis_client, "c-1", NOW_MS - HOUR_MS)
    assert listed(reader) == ["laptop"]
    assert redis_client.zscore(keys.carts(keys.partition_of("phone", PARTITIONS), "demo"), "phone") is None


def test_a_purchase_before_the_cart_changed_leaves_it(redis_client: RedisClient, reader: CartReader) -> None:
    fill(redis_client, "phone", 2 * HOUR_MS, customer_id="c-1")
    note_purchase(redis_client, "c-1", NOW_MS - 3 * HOUR_MS)
    assert listed(reader) == ["phone"]


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_pages_give_every_cart_once(redis_client: RedisClient, reader: CartReader, limit: int) -> None:
    for number in range(7):
        fill(redis_client, f"v-{number}", 2 * HOUR_MS + (number // 3) * MINUTE_MS)  # three at a time in one millisecond
    found: list[str] = []
    before: Place | None = None
    for _ in range(8):
        page = reader.abandoned("demo", 0, NOW_MS + 1, before, limit, NOW_MS)
        assert len(page.carts) <= limit
        found += [cart.visitor_id for cart in page.carts]
        before = page.next
        if before is None:
            break
    assert found == ["v-2", "v-1", "v-0", "v-5", "v-4", "v-3", "v-6"]


def test_pages_skip_what_was_bought_meanwhile(redis_client: RedisClient, reader: CartReader) -> None:
    for number in range(12):
        fill(redis_client, f"v-{number:02}", (2 + number) * HOUR_MS, customer_id=f"c-{number}")
        if number % 4:
            note_purchase(redis_client, f"c-{number}", NOW_MS)
    page = reader.abandoned("demo", 0, NOW_MS + 1, None, 2, NOW_MS)
    assert [cart.visitor_id for cart in page.carts] == ["v-00", "v-04"]
    assert listed(reader, 2, page.next) == ["v-08"]


def test_a_period_bounds_the_last_change(redis_client: RedisClient, reader: CartReader) -> None:
    for number in range(2, 6):
        fill(redis_client, f"v-{number}", number * HOUR_MS)
    page = reader.abandoned("demo", NOW_MS - 4 * HOUR_MS, NOW_MS - 2 * HOUR_MS, None, 10, NOW_MS)
    assert [cart.visitor_id for cart in page.carts] == ["v-3", "v-4"]


def test_marking_is_told_once_and_shown(redis_client: RedisClient, reader: CartReader) -> None:
    fill(redis_client, "v-1", 2 * HOUR_MS)
    seen = reader.look("demo", ["v-1"], NOW_MS)
    assert (reader.mark("demo", seen, NOW_MS), reader.mark("demo", seen, NOW_MS + 5)) == (1, 0)
    cart = reader.abandoned("demo", 0, NOW_MS + 1, None, 1, NOW_MS).carts[0]
    assert cart.abandoned_at is not None
    assert int(cart.abandoned_at.timestamp() * 1000) == NOW_MS


def test_a_cart_that_changed_since_it_was_looked_at_is_left_alone(redis_client: RedisClient, reader: CartReader) -> None:
    fill(redis_client, "v-1", 2 * HOUR_MS, customer_id="c-1")
    note_purchase(redis_client, "c-1", NOW_MS - HOUR_MS)
    bought = reader.look("demo", ["v-1"], NOW_MS)
    fill(redis_client, "v-2", 2 * HOUR_MS)
    idle = reader.look("demo", ["v-2"], NOW_MS)
    for visitor in ("v-1", "v-2"):
        observe(redis_client, visitor, "add_to_cart", ["rug"], at_ms=NOW_MS)
    assert reader.cancel("demo", bought) == 0
    assert reader.mark("demo", idle, NOW_MS) == 0


def test_a_cart_without_a_profile_is_forgotten(redis_client: RedisClient, reader: CartReader) -> None:
    fill(redis_client, "v-1", 2 * HOUR_MS)
    partition = keys.partition_of("v-1", PARTITIONS)
    redis_client.delete(keys.visitor(partition, "demo", "v-1"))
    assert listed(reader) == []
    seen = reader.look("demo", ["v-1"], NOW_MS)
    assert (seen[0].gone, seen[0].state) == (True, CartState.EMPTY)
    assert reader.mark("demo", seen, NOW_MS) == 0
    assert redis_client.zcard(keys.carts(partition, "demo")) == 0


def test_a_profile_of_a_newer_layout_is_not_marked(redis_client: RedisClient, reader: CartReader) -> None:
    fill(redis_client, "v-1", 2 * HOUR_MS)
    partition = keys.partition_of("v-1", PARTITIONS)
    redis_client.set(keys.visitor(partition, "demo", "v-1"), b"\x80")
    assert reader.mark("demo", reader.look("demo", ["v-1"], NOW_MS), NOW_MS) == 0
    assert redis_client.zcard(keys.carts(partition, "demo")) == 1
