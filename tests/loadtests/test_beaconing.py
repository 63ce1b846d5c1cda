from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from loadtests.beaconing import (
    YARDSTICK_MS,
    Load,
    PageServer,
    backlog_cost,
    load_rows,
    longest_task_ms,
    measure_calls,
    ordinary_ms,
    page_of_faros,
    visits_in_turn,
)
from tests.support.browser import browser, chromium_path

__all__ = ["browser", "chromium_path"]


@pytest.fixture
def server() -> Iterator[PageServer]:
    started = PageServer()
    yield started
    started.stop()


def test_both_pages_are_the_same_but_for_the_tag() -> None:
    with_beacon, without = page_of_faros(300, with_beacon=True), page_of_faros(300, with_beacon=False)
    assert with_beacon.replace('<script async src="/b.js" data-site="pk_test"></script>', "") == without
    assert without.count("data-faro=") == 300


def test_only_the_pages_own_thread_counts() -> None:
    trace = [
        {"name": "thread_name", "pid": 1, "tid": 7, "args": {"name": "CrRendererMain"}},
        {"name": "RunTask", "pid": 1, "tid": 7, "dur": 90_000, "tdur": 4_000},
        {"name": "RunTask", "pid": 1, "tid": 7, "dur": 5_000, "tdur": 4_500},
        {"name": "RunTask", "pid": 2, "tid": 7, "dur": 80_000, "tdur": 80_000},
        {"name": "Layout", "pid": 1, "tid": 7, "dur": 70_000, "tdur": 70_000},
    ]
    assert longest_task_ms(trace) == 4.5
    assert longest_task_ms([]) == 0


def test_medians_stand_side_by_side() -> None:
    ours = [Load(10, 40, 8), Load(12, 44, 60), Load(11, 42, 9)]
    rows = list(load_rows("load", ours, [Load(0, 20, 7)] * 3))
    assert rows[0] == ("load: scripts, ms", "11.0 (10.0 to 12.0)", "0.0 (0.0 to 0.0)", "+11.0")
    assert rows[1][3] == "+22.0"
    assert rows[3] == ("load: visits with a task over 50 ms", "1", "0", "+1")


def test_slowness_of_the_machine_is_divided_out() -> None:
    ours, others = [Load(0, 40, 0), Load(0, 45, 0), Load(0, 90, 0)], [Load(0, 20, 0)] * 3
    yardsticks = [Load(0, 20 + YARDSTICK_MS, 0)] * 3
    slow = [[Load(0, 2 * load.tasks_ms, 0) for load in loads] for loads in (ours, others, yardsticks)]
    assert ordinary_ms(ours, others, yardsticks) == 25
    assert ordinary_ms(*slow) == 25


@pytest.mark.browser
@pytest.mark.network
def test_the_yardstick_is_work_that_is_much_dearer_than_the_page(browser: Browser, server: PageServer) -> None:
    other, yardstick = visits_in_turn(browser, server, "/without", "/yardstick")
    assert yardstick.tasks_ms > 2 * other.tasks_ms


@pytest.mark.browser
@pytest.mark.network
def test_calls_are_timed_while_events_wait(browser: Browser, server: PageServer) -> None:
    found = measure_calls(browser, server, 1, (0, 50))
    assert [(each.name.split("(")[0], each.waiting) for each in found][::3] == [("baliza", 0), ("baliza", 50)]
    by_kind = {(each.name, each.waiting): each.median for each in found}
    assert by_kind["dataLayer.push of another tool", 50] < by_kind["dataLayer.push of an event", 50] < 50_000
    assert server.status == 202


@pytest.mark.browser
@pytest.mark.network
def test_a_backlog_is_sent_by_the_next_page(browser: Browser, server: PageServer) -> None:
    assert backlog_cost(browser, server, 120).script_ms > 0.5
