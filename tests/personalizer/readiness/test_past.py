"""What visitors did, from a real history."""

import pytest

from baliza.stores import History
from personalizer.readiness.past import read_past
from tests.personalizer.readiness.shoppers import DAY_MS, MINUTE_MS, keep, past

BEGIN = 20_000 * DAY_MS
END = BEGIN + 20 * DAY_MS

pytestmark = pytest.mark.clickhouse


def test_bots_other_sites_and_what_came_too_late_are_not_read(history: History) -> None:
    keep(history, [past("v-3", "s-3", BEGIN, "page_view")], bot="crawler")
    keep(history, [past("v-4", "s-4", BEGIN, "page_view")], site="other")
    keep(history, [past("v-1", "s-1", BEGIN, "page_view")])
    history.client().execute(
        "INSERT INTO events (site, type, occurred_at, visitor_id, session_id, session_event)"
        f" SELECT 'demo', 'purchase', fromUnixTimestamp64Milli({BEGIN + MINUTE_MS}), 'v-1', 's-1', 0"
    )
    assert [(each.visitor_id, each.kind) for each in read_past(history, "demo", BEGIN, END)] == [("v-1", "page_view")]


def test_tells_of_one_visitor(history: History) -> None:
    keep(history, [past(f"v-{n}", f"s-{n}", BEGIN + n, "view_item", (("A", "Light"),)) for n in range(3)])
    (found,) = read_past(history, "demo", BEGIN, END, visitor_id="v-1")
    assert found == past("v-1", "s-1", BEGIN + 1, "view_item", (("A", "Light"),))._replace(items=[("A", "Light")])
