"""The receipts in /metrics: what both stores say, and silence about what they cannot."""

from datetime import datetime, timedelta

import pytest

from baliza import metrics
from baliza.metrics import Reading
from baliza.settings import Settings
from baliza.stores import History, RedisClient
from tests.support.collecting import START, Shop, event
from tests.support.rows import event_row, insert_events
from tests.tracker.test_receipts import tell
from tracker.receipts_gauges import FRESH_S, ReceiptGauges

pytestmark = [pytest.mark.redis, pytest.mark.clickhouse]


class Clock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.passed_s = 0.0

    def now(self) -> datetime:
        return START + timedelta(minutes=5, seconds=self.passed_s)

    def monotonic(self) -> float:
        return self.passed_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def gauges(redis_client: RedisClient, history: History, settings: Settings, clock: Clock) -> ReceiptGauges:
    return ReceiptGauges(redis_client, history, settings, clock.now, clock.monotonic)


def shown(readings: object) -> dict[tuple[str, ...], float]:
    assert isinstance(readings, tuple)
    return {(each.gauge.name, *each.labels): each.value for each in readings}


def test_shows_this_hour_and_the_last_one(shop: Shop, history: History, gauges: ReceiptGauges) -> None:
    tell(history, 4, START - timedelta(hours=1))
    insert_events(history, [event_row(received_at=START - timedelta(minutes=30)) for _ in range(4)])
    shop.send(event(), event(), event(colour="red"))
    found = shown(gauges())
    assert found["baliza_receipts_events", "demo", "last", "stored"] == 4
    assert found["baliza_receipts_events", "demo", "last", "received"] == 10
    assert found["baliza_receipts_events", "demo", "current", "waiting"] == 2
    assert found["baliza_receipts_events", "demo", "current", "rejected"] == 1
    assert found["baliza_receipts_difference", "demo"] == 0
    assert (found["baliza_receipts_readable",], found["baliza_waiting_entries",]) == (1, 1)
    assert found["baliza_quarantine_events", "kept"] == 1


def test_a_lost_event_shows_for_two_days(history: History, gauges: ReceiptGauges) -> None:
    tell(history, 4, START - timedelta(hours=40))
    assert shown(gauges())["baliza_receipts_difference", "demo"] == 4


def test_asks_again_only_after_a_while(shop: Shop, gauges: ReceiptGauges, clock: Clock) -> None:
    assert shown(gauges())["baliza_waiting_entries",] == 0
    shop.send(event())
    assert shown(gauges())["baliza_waiting_entries",] == 0
    clock.passed_s = FRESH_S
    assert shown(gauges())["baliza_waiting_entries",] == 1


@pytest.mark.usefixtures("own_database")
def test_a_store_that_is_away_is_said_and_what_the_other_knows_is_shown(
    shop: Shop, gauges: ReceiptGauges, history: History
) -> None:
    shop.send(event(colour="red"))
    history.client().execute("RENAME TABLE receipts TO elsewhere")
    found = shown(gauges())
    assert found["baliza_receipts_readable",] == 0
    assert found["baliza_quarantine_events", "kept"] == 1
    assert ("baliza_receipts_difference", "demo") not in found


def test_what_is_read_stands_among_the_metrics(gauges: ReceiptGauges, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "_readers", [])
    metrics.read_with(gauges)
    metrics.read_with(lambda: [Reading(metrics.RECEIPTS_DIFFERENCE, -2, ("lamps",))])
    text = metrics.exposition().decode()
    assert "\nbaliza_receipts_readable 1.0\n" in text
    assert '\nbaliza_receipts_difference{site="lamps"} -2.0\n' in text
    assert text.count("# TYPE baliza_quarantine_events gauge") == 1
