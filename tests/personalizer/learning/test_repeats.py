"""What is bought again, from a real history."""

import math
from datetime import timedelta
from typing import Any

import pytest

from baliza.settings import Settings
from baliza.sites import Site
from baliza.stores import History
from personalizer.learning.train import train
from personalizer.models.habits import Habits
from personalizer.models.store import ModelStore
from tests.personalizer.planted import NOW
from tests.support.rows import event_row, insert_events

pytestmark = pytest.mark.clickhouse
DAY = 86_400.0


def purchase(item: str, days_ago: float, person: str, category: str = "coffee", **more: Any) -> dict[str, Any]:
    """Of a customer, or of a browser whose name begins with v."""
    who = {"visitor_id": person} if person.startswith("v") else {"visitor_id": f"v-{days_ago}", "customer_id": person}
    return event_row(
        type="purchase", occurred_at=NOW - timedelta(days=days_ago), session_id=f"s-{person}-{days_ago}",
        items=[(item, category, "9.90", 1)], **who, **more,
    )  # fmt: skip


def learned(history: History, settings: Settings, site: Site) -> dict[str, float]:
    """Days after which each item is bought again."""
    assert train(history, settings, site, NOW) is not None
    model = ModelStore(settings.model_dir).load(site.name)
    assert model is not None
    assert isinstance(model.habits, Habits)
    return {
        item_id.decode(): float(seconds) / DAY
        for item_id, seconds in zip(model.item_ids.tolist(), model.habits.rebuy_s.tolist(), strict=True)
    }


def test_learns_after_how_long_people_come_back_whatever_browser_they_use(
    history: History, settings: Settings, demo_site: Site
) -> None:
    rows = [
        purchase("beans", start - 28 * n, f"c-{start}") for start in (80, 77, 70, 66) for n in range(3) if start - 28 * n > 0
    ]
    rows += [purchase("pot", 10 + n, f"c-{n}") for n in range(8)]
    rows += [purchase("cups", 20 + n, f"v-{n % 2}-cups", "living") for n in range(3)]
    insert_events(history, rows)
    found = learned(history, settings, demo_site)
    assert found["beans"] == pytest.approx(28)
    assert math.isnan(found["pot"]), "nobody came back for it"
    assert math.isnan(found["cups"]), "one person twice is no habit"


def test_what_is_bought_twice_within_a_day_is_one_purchase(history: History, settings: Settings, demo_site: Site) -> None:
    insert_events(history, [purchase("beans", days, "c-1") for n in range(6) for days in (30 + n * 0.01,)])
    assert math.isnan(learned(history, settings, demo_site)["beans"])


def test_robots_and_other_shops_have_no_habits(history: History, settings: Settings, demo_site: Site) -> None:
    insert_events(history, [purchase("beans", 10 + 7 * n, "c-1", bot="robot") for n in range(8)])
    insert_events(history, [purchase("tea", 10 + 7 * n, "c-1", site="other") for n in range(8)])
    insert_events(history, [purchase("tea", 10, "c-1"), purchase("beans", 10, "c-1")])
    assert all(math.isnan(days) for days in learned(history, settings, demo_site).values())
