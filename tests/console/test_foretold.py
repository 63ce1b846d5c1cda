"""Readiness along a session that is told."""

from datetime import UTC, datetime

import pytest

from baliza.readiness.model import ReadinessModel
from baliza.stores import History
from console.reports import session_story
from tests.baliza.readiness.test_model import file
from tests.personalizer.readiness.shoppers import DAY_MS, MINUTE_MS, keep, past

T = 20_000 * DAY_MS
NOW = datetime.fromtimestamp((T + DAY_MS) / 1000, UTC)
ITEM = (("A", "Light"),)

pytestmark = pytest.mark.clickhouse


def visit() -> list:
    return [
        past("v-1", "s-1", T, "page_view"), past("v-1", "s-1", T + MINUTE_MS, "view_item", ITEM),
        past("v-1", "s-1", T + 2 * MINUTE_MS, "view_item", ITEM),
        past("v-1", "s-1", T + 3 * MINUTE_MS, "add_to_cart", cart=1),
        past("v-1", "s-1", T + 4 * MINUTE_MS, "purchase"),
    ]  # fmt: skip


def along(history: History, session: str = "s-1", model: ReadinessModel | None = None) -> list[float | None]:
    return [event.readiness for event in session_story(history, "demo", session, 3600, NOW, model).events]


def test_readiness_rises_towards_the_order_and_falls_after_it(history: History) -> None:
    keep(history, visit())
    keep(history, [past("v-2", "s-2", T, "add_to_cart", cart=1)])
    told = along(history)
    assert None not in told
    assert told[:4] == sorted(told[:4])  # type: ignore[type-var]
    assert (told[0], told[4]) == (0.008, pytest.approx(0.041, abs=0.02))


def test_what_was_known_of_earlier_visits_counts(history: History) -> None:
    keep(history, [past("v-1", "s-0", T - DAY_MS, "purchase")])
    keep(history, visit()[:1])
    assert along(history) == [pytest.approx(0.0159)]  # twice the odds for who bought before


def test_a_model_is_asked_where_there_is_one(history: History) -> None:
    keep(history, visit())
    story = session_story(history, "demo", "s-1", 3600, NOW, ReadinessModel.of_file(file()))
    assert story.readiness_basis == "model"
    assert story.events[3].readiness == 0.5


def test_of_bots_and_late_events_nothing_is_foretold(history: History) -> None:
    keep(history, visit()[:2], bot="crawler")
    assert along(history) == [None, None]
    history.client().execute(
        "INSERT INTO events (site, type, occurred_at, visitor_id, session_id, session_opened_at, session_event)"
        f" SELECT 'demo', 'page_view', fromUnixTimestamp64Milli({T + 9}), 'v-5', 's-5', fromUnixTimestamp64Milli({T}), 0"
    )
    assert along(history, "s-5") == [None]
