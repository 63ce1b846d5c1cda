"""An order is one revenue in the history, however often, from wherever and at whatever moment it is told; and never none."""

import time
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from baliza.lease import Lease
from baliza.settings import Settings
from baliza.sites import SiteRegistry
from baliza.stores import History, RedisClient
from tests.support.collecting import Shop, event
from tracker.collect import Steps
from tracker.ingest import Ingest
from tracker.request import Answer, Request

pytestmark = [pytest.mark.redis, pytest.mark.clickhouse]


def buy(at: float, order: str = "T-1", **given: Any) -> dict[str, Any]:
    return event("purchase", at, item=("LAMP", "Light", 20, 2), transaction_id=order, **given)


class Asked:
    """A request that goes on by one round trip at a time, and may never end: its worker was killed."""

    def __init__(self, shop: Shop, *events: dict[str, Any], visitor: str = "v-1", secret: str = "") -> None:
        self.answer: Answer | None = None
        self._redis = shop.redis
        body = {"visitor": visitor, "events": events} if secret else {"key": "pk_demo", "visitor": visitor, "events": events}
        headers = {"authorization": f"Bearer {secret}"} if secret else {}
        self._steps: Steps = shop.collector.steps(Request("POST", "/o", headers, msgspec.json.encode(body), "192.0.2.7"))
        self._commands = next(self._steps)

    def go(self, round_trips: int = 1) -> Answer | None:
        """The answer, when there is one after so many round trips."""
        for _ in range(round_trips):
            if self.answer is None:
                replies = [self._redis.execute_command(*command) for command in self._commands]
                try:
                    self._commands = self._steps.send(replies)
                except StopIteration as stop:
                    self.answer = stop.value
        return self.answer


def told(answer: Answer | None) -> str:
    """What became of the events: taken, duplicate, or that it is not known yet."""
    assert answer is not None
    if answer.status == 503:
        assert int(dict(answer.headers)["Retry-After"]) >= 1
        return "come again"
    assert answer.status == 202
    return dict(answer.headers).get("X-Baliza-Dropped", "taken")


@pytest.fixture
def revenue(settings: Settings, redis_client: RedisClient, history: History) -> Callable[[], tuple[Decimal, Decimal, int]]:
    """Carries everything; answers the revenue by events, by sessions, and the number of purchases with revenue."""
    lease = Lease(redis_client, "ingest-0", "orders", time.monotonic)
    ingest = Ingest(settings, redis_client, history, lease, "orders", lambda: int(time.time() * 1000))

    def read() -> tuple[Decimal, Decimal, int]:
        while ingest.step():
            pass
        ((by_event, count),) = history.rows("SELECT sum(revenue), countIf(revenue > 0) FROM events")
        ((by_session,),) = history.rows("SELECT sumMap(revenue)['EUR'] FROM sessions")
        return by_event, by_session, count

    return read


ONCE = (Decimal(40), Decimal(40), 1)


def careful(shop: Shop) -> None:
    """From now on the site does not believe browsers about money."""
    registry = shop.collector.registry
    assert registry is not None
    shop.collector.registry = SiteRegistry.of([msgspec.structs.replace(registry.by_name["demo"], trust_browser=False)])


def test_a_reloaded_page_the_shops_server_and_a_retry_a_day_later_are_one_revenue(
    shop: Shop, revenue: Callable[[], object]
) -> None:
    first = buy(0)
    assert told(shop.send(first)) == "taken"
    assert told(shop.send(first)) == "duplicate"
    assert told(shop.send(buy(60))) == "duplicate"
    assert told(shop.send(buy(61), visitor="v-phone")) == "duplicate"
    assert told(shop.send_as_server(buy(5), visitor="customer-7")) == "duplicate"
    assert revenue() == ONCE
    shop.now += timedelta(days=1)
    assert told(shop.send(first)) == "duplicate"
    assert told(shop.send_as_server(buy(5), visitor="customer-7")) == "duplicate"
    shop.now += timedelta(days=40)
    assert told(shop.send_as_server(buy(5), visitor="customer-7")) == "duplicate"
    assert revenue() == ONCE


def test_the_servers_word_is_the_revenue_where_browsers_are_not_believed(shop: Shop, revenue: Callable[[], object]) -> None:
    careful(shop)
    assert told(shop.send(buy(0))) == "taken"
    assert revenue() == (Decimal(0), Decimal(0), 0)
    assert told(shop.send_as_server(buy(1))) == "taken"
    assert told(shop.send(buy(2))) == "duplicate"
    assert told(shop.send_as_server(buy(3))) == "duplicate"
    assert revenue() == ONCE


def test_two_purchases_of_one_order_in_one_batch_are_one(shop: Shop, revenue: Callable[[], object]) -> None:
    twice = buy(0), buy(1), event("page_view", 2)
    answer = shop.send(*twice)
    assert dict(answer.headers)["X-Baliza-Count"] == "accepted=2, duplicate=1"
    assert told(shop.send(*twice)) == "duplicate"
    assert revenue() == ONCE


def test_of_two_workers_at_the_same_moment_one_counts_and_the_other_asks_to_come_again(
    shop: Shop, revenue: Callable[[], object]
) -> None:
    browser, server = Asked(shop, buy(0)), Asked(shop, buy(1), visitor="customer-7", secret="sk_demo")
    browser.go(1)
    assert told(server.go(1)) == "come again", "the browser's worker may still die"
    assert told(browser.go(2)) == "taken"
    again = Asked(shop, buy(1), visitor="customer-7", secret="sk_demo")
    assert told(again.go(2)) == "duplicate"
    assert revenue() == ONCE


def test_an_order_whose_worker_was_killed_before_counting_it_is_not_lost(shop: Shop, revenue: Callable[[], object]) -> None:
    Asked(shop, buy(0)).go(1)  # claimed; nobody ever hears of it again
    word = buy(1)
    assert told(shop.send_as_server(word, visitor="customer-7")) == "come again"
    shop.now += timedelta(seconds=60)
    assert told(shop.send_as_server(word, visitor="customer-7")) == "taken"
    assert told(shop.send(buy(0))) == "duplicate"
    assert revenue() == ONCE


def test_an_order_that_was_counted_and_not_settled_counts_once(shop: Shop, revenue: Callable[[], object]) -> None:
    Asked(shop, buy(0)).go(2)  # claimed and observed; the worker was killed before it could say so
    assert revenue() == ONCE
    shop.now += timedelta(minutes=2)
    assert told(shop.send_as_server(buy(1), visitor="customer-7")) == "duplicate"
    assert revenue() == ONCE


@pytest.mark.parametrize("browser_is_at", [1, 2])
def test_hearsay_that_is_late_takes_nothing_back_of_what_the_server_said(
    shop: Shop, revenue: Callable[[], object], browser_is_at: int
) -> None:
    careful(shop)
    browser = Asked(shop, buy(0))
    browser.go(browser_is_at)
    assert told(shop.send_as_server(buy(1), visitor="customer-7")) == "taken"
    assert told(browser.go(3)) == "taken"
    assert told(shop.send_as_server(buy(2), visitor="customer-7")) == "duplicate"
    assert revenue() == ONCE


def test_a_clock_that_was_set_back_holds_no_order(shop: Shop, revenue: Callable[[], object]) -> None:
    Asked(shop, buy(0)).go(1)
    shop.now -= timedelta(hours=1)
    assert told(shop.send_as_server(buy(-3600), visitor="customer-7")) == "taken"
    assert revenue() == ONCE
