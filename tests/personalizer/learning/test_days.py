"""The history by day: read once, read again when it changed."""

import logging
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from baliza.stores import History
from personalizer.learning.days import Clicks, DayFiles, DayKey, _clicks, read_clicks
from tests.personalizer.planted import NOW
from tests.support.rows import event_row, insert_events

MIDNIGHT = datetime(2026, 11, 21, tzinfo=UTC)
KEY = DayKey(date(2026, 11, 20), 3, 17)


def clicks(*rows: tuple[int, str, int, int]) -> Clicks:
    names = np.unique([item.encode() for _, item, _, _ in rows])
    sessions, items, kinds, times = zip(*rows, strict=True)
    return Clicks(
        names, np.array(sessions, np.uint64), np.searchsorted(names, [item.encode() for item in items]).astype(np.int32),
        np.array(kinds, np.uint8), np.array(times, np.int64),
    )  # fmt: skip


def told(found: Clicks) -> list[tuple[str, int, int]]:
    return [
        (found.names[item].decode(), int(kind), int(at))
        for item, kind, at in zip(found.items, found.kinds, found.times_ms, strict=True)
    ]


def row(item: str, at: datetime, **given: Any) -> dict[str, Any]:
    return event_row(**{"type": "view_item", "occurred_at": at, "items": [(item, "", "1", 1)]} | given)


class Reading:
    """Reads the ten days before NOW and counts the days that it asked the history for."""

    def __init__(self, history: History, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.history, self.files, self.asked = history, DayFiles(folder), 0
        client = history.client()
        execute_iter = client.execute_iter

        def counted(*given: Any, **named: Any) -> Iterator[Any]:
            self.asked += 1
            return iter(execute_iter(*given, **named))

        monkeypatch.setattr(client, "execute_iter", counted)

    def __call__(self, max_clicks: int = 100, days: int = 10) -> Clicks:
        since = int((MIDNIGHT - timedelta(days=days)).timestamp() * 1000)
        until = int(NOW.timestamp() * 1000)
        return read_clicks(self.history, "demo", since, until, max_clicks, self.files, lambda _done: None)


@pytest.fixture
def read(history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reading:
    return Reading(history, tmp_path / "days", monkeypatch)


def test_joins_a_session_over_midnight_over_all_names() -> None:
    found = Clicks.joined([clicks((7, "rug", 0, 30), (5, "lamp", 0, 40)), clicks((7, "bulb", 2, 10))])
    assert found.names.tolist() == [b"bulb", b"lamp", b"rug"]
    assert found.sessions.tolist() == [5, 7, 7]
    assert told(found) == [("lamp", 0, 40), ("bulb", 2, 10), ("rug", 0, 30)]


def test_nothing_joined_is_nothing() -> None:
    assert len(Clicks.joined([])) == 0
    assert len(Clicks.joined([Clicks.none(), clicks((1, "rug", 0, 1))])) == 1


def test_takes_the_numbers_of_others_and_leaves_out_what_they_do_not_know() -> None:
    found = clicks((1, "bulb", 0, 1), (1, "rug", 1, 2), (1, "zebra", 0, 3)).numbered(np.array([b"lamp", b"rug"]))
    assert (found.items.tolist(), found.kinds.tolist()) == ([1], [1])
    assert len(clicks((1, "bulb", 0, 1)).numbered(np.array([], "S1"))) == 0


def test_narrowed_it_has_no_clicks_on_longer_ids() -> None:
    found = clicks((1, "aa", 0, 5), (1, "b" * 30, 0, 6), (2, "c", 1, 7)).narrowed(4)
    assert (told(found), found.sessions.tolist(), found.names.dtype.itemsize) == ([("aa", 0, 5), ("c", 1, 7)], [1, 2], 4)
    assert found.narrowed(4) is found
    assert len(clicks((1, "b" * 30, 0, 6)).narrowed(4)) == 0


def test_a_day_that_was_kept_is_the_same(tmp_path: Path) -> None:
    files, day = DayFiles(tmp_path / "a" / "b"), clicks((1, "rug", 0, 1), (2, "lámpara", 2, 5))
    files.put(KEY, 100, day)
    kept = files.get(KEY, 100)
    assert kept is not None
    assert told(kept) == told(day)
    assert kept.sessions.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("key", "max_clicks"),
    [(DayKey(KEY.day, 4, 17), 100), (DayKey(KEY.day, 3, 18), 100), (KEY, 99), (DayKey(date(2026, 11, 19), 3, 17), 100)],
)
def test_another_day_count_arrival_or_limit_is_not_what_was_kept(tmp_path: Path, key: DayKey, max_clicks: int) -> None:
    files = DayFiles(tmp_path)
    files.put(KEY, 100, clicks((1, "rug", 0, 1)))
    assert files.get(key, max_clicks) is None


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 half of a file", b"nonsense"])
def test_a_broken_file_is_told_and_read_again(tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    files = DayFiles(tmp_path)
    (tmp_path / "2026-11-20.npz").write_bytes(content)
    with caplog.at_level(logging.WARNING):
        assert files.get(KEY, 100) is None
    assert "2026-11-20.npz cannot be read" in caplog.text


def test_a_folder_that_takes_nothing_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("in the way")
    with caplog.at_level(logging.WARNING):
        DayFiles(tmp_path / "file").put(KEY, 100, clicks((1, "rug", 0, 1)))
    assert "cannot be kept" in caplog.text


@pytest.mark.clickhouse
def test_reads_views_as_often_as_they_were_and_carts_and_purchases_once(history: History, read: Reading) -> None:
    at = NOW - timedelta(hours=1)
    insert_events(
        history,
        [
            row("lamp", at),
            row("lamp", at + timedelta(seconds=1)),
            row("lamp", at + timedelta(seconds=2), type="add_to_cart"),
            row("lamp", at + timedelta(seconds=3), type="sync_cart"),
            row("lamp", at + timedelta(seconds=4), type="purchase"),
        ],
    )
    began = int(at.timestamp() * 1000)
    assert told(read()) == [
        ("lamp", 0, began),
        ("lamp", 0, began + 1000),
        ("lamp", 1, began + 2000),
        ("lamp", 2, began + 4000),
    ]


@pytest.mark.clickhouse
def test_leaves_out_bots_other_sites_and_what_is_past_the_period(history: History, read: Reading) -> None:
    at = NOW - timedelta(hours=1)
    others = (row("a", at, bot="crawler"), row("b", at, site="other"), row("c", NOW), row("d", NOW - timedelta(days=20)))
    insert_events(history, [*others, row("e", at, session_id=""), row("f", at, type="page_view"), row("lamp", at)])
    assert [item for item, _, _ in told(read())] == ["lamp"]


@pytest.mark.clickhouse
def test_reads_a_day_again_only_when_it_changed(history: History, read: Reading) -> None:
    insert_events(history, [row("lamp", NOW - timedelta(days=n)) for n in range(1, 4)])
    first = read()
    assert read.asked == 3
    assert told(read()) == told(first)
    assert read.asked == 3
    insert_events(history, [row("rug", NOW - timedelta(days=2))])
    assert len(read()) == 4
    assert read.asked == 4


@pytest.mark.clickhouse
def test_what_was_erased_is_gone_from_the_files_too(history: History, read: Reading, tmp_path: Path) -> None:
    insert_events(history, [row("lamp", NOW - timedelta(days=2)), row("rug", NOW - timedelta(days=2), visitor_id="v-9")])
    read()
    history.rows("DELETE FROM events WHERE visitor_id = 'v-9'")
    assert [item for item, _, _ in told(read())] == ["lamp"]
    kept = DayFiles(tmp_path / "days")
    assert all(b"rug" not in file.read_bytes() for file in (tmp_path / "days").iterdir())
    assert kept.get(KEY, 100) is None


@pytest.mark.clickhouse
def test_drops_days_that_have_passed_out_of_the_period(history: History, read: Reading, tmp_path: Path) -> None:
    insert_events(history, [row("lamp", NOW - timedelta(days=n)) for n in (1, 5)])
    read()
    assert len(list((tmp_path / "days").iterdir())) == 2
    read(days=3)
    assert [file.name for file in (tmp_path / "days").iterdir()] == ["2026-11-20.npz"]


@pytest.mark.clickhouse
def test_of_a_long_session_stays_what_tells_most(history: History, read: Reading) -> None:
    at = NOW - timedelta(hours=2)
    insert_events(history, [row(f"item-{n}", at + timedelta(seconds=n)) for n in range(9)])
    insert_events(history, [row("lamp", at + timedelta(minutes=9), type="purchase")])
    assert [item for item, _, _ in told(read(max_clicks=3))] == ["item-0", "item-1", "lamp"]


def test_a_large_day_is_not_held_as_objects() -> None:
    def chunks() -> Iterator[list[tuple[int, str, int, int]]]:
        for begin in range(0, 200_000, 10_000):
            yield [
                (2**63 + row // 5, f"item-{row % 100}", 0, 1_700_000_000_000 + row) for row in range(begin, begin + 10_000)
            ]

    tracemalloc.start()
    try:
        assert len(_clicks(chunks())) == 200_000
        assert tracemalloc.get_traced_memory()[1] < 30_000_000
    finally:
        tracemalloc.stop()
