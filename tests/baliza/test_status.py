"""The figures of the live line, from both real stores."""

from datetime import UTC, datetime, timedelta

import pytest

from baliza.settings import Settings
from baliza.sites import Site
from baliza.status import Status, read_status
from baliza.stores import History, RedisClient
from schema import keys
from tests.support.collecting import Shop, event
from tests.support.rows import event_row, insert_events

NOW = datetime(2026, 11, 21, 15, 0, tzinfo=UTC)


def test_the_line_is_for_people() -> None:
    line = Status(NOW, 1_234_567, 90, 1_200, 7, 42, 3).line()
    assert line == "15:00:00  1,234,567 events (1.5/s)  1,200 live sessions  7 carts  42 orders today  3 waiting"


@pytest.mark.redis
@pytest.mark.clickhouse
def test_counts_what_both_stores_hold(
    redis_client: RedisClient, history: History, settings: Settings, demo_site: Site, shop: Shop
) -> None:
    assert read_status(redis_client, history, settings, NOW) == Status(NOW, 0, 0, 0, 0, 0, 0)
    insert_events(
        history,
        [
            event_row(session_id="old", occurred_at=NOW - timedelta(days=2)),
            event_row(session_id="today", occurred_at=NOW - timedelta(hours=3), type="purchase"),
            event_row(session_id="live", occurred_at=NOW - timedelta(seconds=30)),
            event_row(session_id="live", occurred_at=NOW - timedelta(seconds=10)),
        ],
    )
    shop.send(event("add_to_cart", item=("LAMP-1", "Light", 39.9, 1)), visitor="v-cart")
    found = read_status(redis_client, history, settings, NOW)
    assert found == Status(NOW, 4, 2, 1, 1, 1, 1)
    assert sum(redis_client.xlen(keys.events(partition)) for partition in range(8)) == 1
