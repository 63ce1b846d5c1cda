"""The shop's own history, cut in two: nothing of after the cut may be known before it."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from baliza.settings import Settings
from baliza.sites import Site
from baliza.stores import History
from personalizer.evaluation import history as cutting
from personalizer.evaluation.history import TooYoung, cut_of, read_split, split_clicks
from personalizer.evaluation.models import evaluated
from personalizer.evaluation.split import Split
from personalizer.learning.days import Clicks, DayFiles
from tests.personalizer.learning.test_days import clicks
from tests.personalizer.planted import NOW
from tests.support.rows import event_row, insert_events

SITE = Site("demo", "pk_demo", "", ("http://shop.test",))
HOUR_MS = 3_600_000


def visits(count: int, every_ms: int, items: tuple[str, ...] = ("lamp", "bulb")) -> Clicks:
    return clicks(*[(n, item, 0, n * every_ms + place) for n in range(count) for place, item in enumerate(items)])


def test_test_is_the_last_day() -> None:
    found = visits(576 * 6, HOUR_MS // 24)  # 576 a day, six days
    assert cut_of(found) == int(found.times_ms.max()) - 24 * HOUR_MS


def test_a_quiet_last_day_is_joined_by_the_days_before_it() -> None:
    found = visits(5_000, HOUR_MS)
    assert cut_of(found) == 4_500 * HOUR_MS


def test_a_young_shop_keeps_four_fifths_to_learn_from() -> None:
    assert cut_of(visits(100, HOUR_MS // 10)) == 80 * HOUR_MS // 10


def test_too_little_is_told() -> None:
    with pytest.raises(TooYoung, match=r"expected 50 sessions or more .*, got 49"):
        cut_of(visits(49, HOUR_MS))
    with pytest.raises(TooYoung, match="got 0"):
        cut_of(Clicks.none())


def split(found: Clicks, cut_ms: int, categories: dict[bytes, str] | None = None) -> Split:
    return split_clicks(found, cut_ms, categories or {}, np.random.default_rng(1))


def test_a_session_over_the_cut_teaches_what_came_before_and_tests_nothing() -> None:
    found = split(clicks((1, "a", 0, 10_000), (1, "b", 0, 20_000), (2, "a", 0, 20_000), (2, "c", 1, 21_000)), 15_000)
    assert found.item_ids.tolist() == [b"a"]
    assert (found.train.items.tolist(), found.train.times.tolist()) == ([0], [10])
    assert (found.test.items.tolist(), found.test.kinds.tolist()) == ([0, 2], [0, 1])  # c is unknown
    assert (found.now_s, found.unknown_rows) == (15, 1)


def test_categories_are_numbered_by_name() -> None:
    found = split(clicks((1, "a", 0, 1), (1, "b", 0, 2), (1, "c", 0, 3), (2, "a", 0, 9)), 5, {b"a": "rugs", b"c": "lamps"})
    assert found.category_of is not None
    assert found.category_of.tolist() == [1, -1, 0]
    assert split(clicks((1, "a", 0, 1), (2, "a", 0, 9)), 5).category_of is None


def test_of_very_many_sessions_a_sample_is_tested(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cutting, "MOST_SESSIONS", 7)
    found = split(visits(100, 1_000), 50_000)
    assert (len(found.train), len(found.test)) == (50, 7)
    assert np.diff(found.test.starts).tolist() == [2] * 7  # whole sessions


def view(number: int, item: str, minutes_ago: int, category: str = "", **given: Any) -> dict[str, Any]:
    at = NOW - timedelta(minutes=minutes_ago)
    return event_row(
        type="view_item", occurred_at=at, session_id=f"s-{number}", items=[(item, category, "1", 1)], **given
    )  # fmt: skip


@pytest.mark.clickhouse
def test_nothing_of_the_future_is_learned(history: History, settings: Settings, tmp_path: Path) -> None:
    """After the cut the lamp goes with the rug, which is new, and is of another category; before it with the bulb."""
    rows = []
    for number in range(80):
        rows += [view(number, "lamp", 5_000 - number, "light"), view(number, "bulb", 4_999 - number, "light")]
    for number in range(80, 100):
        rows += [view(number, "lamp", 200 - number, "floors"), view(number, "rug", 199 - number, "floors")]
    insert_events(history, rows)
    found = read_split(history, settings, SITE, NOW, DayFiles(tmp_path / "days"), lambda _step, _done: None)
    assert (len(found.train), len(found.test)) == (80, 20)
    assert found.item_ids.tolist() == [b"bulb", b"lamp"]
    assert found.category_of is not None
    assert found.category_of.tolist() == [0, 0]
    assert int(found.train.times.max()) < found.now_s <= int(found.test.times.min())
    for name in ("together", "session-knn", "best-sellers", "recent-best-sellers"):
        one = evaluated(name, found, lambda _step, _done: None)
        assert (one.whole.ranks == 0).all(), f"{name} knew the rug"
        assert one.whole.shown[0] == 20, f"{name} had learned nothing of the bulb"


@pytest.mark.clickhouse
def test_a_history_too_young_is_told(history: History, settings: Settings, tmp_path: Path) -> None:
    insert_events(history, [view(1, "lamp", 5)])
    with pytest.raises(TooYoung, match="got 1;"):
        read_split(history, settings, SITE, NOW, DayFiles(tmp_path / "days"), lambda _step, _done: None)


@pytest.mark.clickhouse
def test_an_empty_history_is_told(history: History, settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(TooYoung, match="got 0;"):
        read_split(history, settings, SITE, NOW, DayFiles(tmp_path / "days"), lambda _step, _done: None)
