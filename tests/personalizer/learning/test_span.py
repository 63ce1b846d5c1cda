"""The period that is learned from."""

from datetime import UTC, datetime, timedelta

import pytest

from baliza.settings import Settings
from baliza.sites import Site
from baliza.stores import History
from personalizer.learning.span import DAY_MS, enough_to_begin, read_span
from tests.personalizer.planted import NOW
from tests.support.rows import event_row, insert_events

SITE = Site("demo", "pk_demo", "", ("http://shop.test",))


@pytest.mark.clickhouse
def test_holds_whole_days_and_counts_what_is_in_them(history: History, settings: Settings) -> None:
    rows = [event_row(type="view_item", occurred_at=NOW - timedelta(days=days)) for days in (1, 2, 95)]
    insert_events(history, rows)
    span = read_span(history, settings, SITE, NOW)
    assert span.since_ms % DAY_MS == 0
    assert 90 * DAY_MS <= span.until_ms - span.since_ms < 91 * DAY_MS
    assert (span.events, span.last_ms) == (2, int((NOW - timedelta(days=1)).timestamp() * 1000))


@pytest.mark.clickhouse
def test_begins_at_twenty_sessions(history: History, settings: Settings) -> None:
    items = [("lamp", "light", "1", 1)]
    insert_events(history, [event_row(type="view_item", session_id=f"s-{n}", items=items) for n in range(19)])
    later = datetime(2026, 11, 21, 13, tzinfo=UTC)
    assert not enough_to_begin(history, settings, SITE, later)
    insert_events(history, [event_row(type="view_item", session_id="s-19", items=items)])
    assert enough_to_begin(history, settings, SITE, later)
