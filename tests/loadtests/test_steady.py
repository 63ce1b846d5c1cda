import threading
import time
from collections.abc import Iterator
from itertools import count

import pytest

from loadtests.client import Answer, LoadError, request
from loadtests.steady import Steady, point_of, send_steadily
from tests.loadtests.conftest import FarEnd

PER_SECOND = 200


def is_202(answer: Answer) -> bool:
    return answer.status == 202


def requests() -> Iterator[bytes]:
    return (request("POST", "/o", {}, b"%d" % number) for number in count())


def stall(far_end: FarEnd, seconds: float) -> None:
    """From its first request on it answers nothing for so long."""

    def open_again() -> None:
        far_end.asked.wait(10)
        time.sleep(seconds)
        far_end.open.set()

    far_end.open.clear()
    threading.Thread(target=open_again, daemon=True).start()


@pytest.mark.network
def test_sends_as_many_as_planned_in_the_time_planned(far_end: FarEnd) -> None:
    load = send_steadily(far_end.address, requests(), PER_SECOND, 0.5, 8, is_202)
    assert (len(far_end.heard), len(load.latencies_s), load.planned, load.bad) == (100, 100, 100, 0)
    assert len(set(far_end.heard)) == 100
    assert load.wall_s >= 99 / PER_SECOND


@pytest.mark.network
@pytest.mark.parametrize("connections", [2, 150])
def test_a_stall_counts_for_everybody_who_would_have_come_meanwhile(far_end: FarEnd, connections: int) -> None:
    stall_s = 0.4
    stall(far_end, stall_s)
    load = send_steadily(far_end.address, requests(), PER_SECOND, 0.6, connections, is_202)
    # Those that should have left in the first quarter second wait for more than 0.15 s, sent or not.
    slow = [latency for latency in load.latencies_s if latency > stall_s - 0.25]
    assert len(slow) >= 0.25 * PER_SECOND * 0.9
    assert max(load.latencies_s) >= stall_s * 0.9


@pytest.mark.network
def test_a_server_that_is_late_does_not_make_the_load_late(far_end: FarEnd) -> None:
    stall(far_end, 0.3)
    load = send_steadily(far_end.address, requests(), PER_SECOND, 0.3, 1, is_202)
    assert sorted(load.late_s)[len(load.late_s) // 2] < 0.1 < sorted(load.latencies_s)[len(load.latencies_s) // 2]


@pytest.mark.network
def test_bad_answers_make_no_point(far_end: FarEnd) -> None:
    far_end.failing = True
    load = send_steadily(far_end.address, requests(), PER_SECOND, 0.05, 2, is_202)
    with pytest.raises(LoadError, match="10 of 10 answers"):
        point_of(load, 0.5, PER_SECOND)


@pytest.mark.network
def test_a_connection_closed_under_a_request_is_an_error(far_end: FarEnd) -> None:
    with pytest.raises(LoadError, match="closed a connection"):
        send_steadily(far_end.address, iter([request("POST", "/o", {}, b"close")]), PER_SECOND, 0.001, 1, is_202)


def test_a_point_has_percentiles_in_milliseconds() -> None:
    latencies = [number / 1000 for number in range(100, 0, -1)]
    point = point_of(Steady(100, latencies, [0.001] * 99 + [0.5], wall_s=2.0), 0.5, 60.0)
    assert (point.p50_ms, point.p90_ms, point.p99_ms) == pytest.approx((50, 90, 99))
    assert (point.answered, point.offered, point.load_late_p99_ms) == (50, 60, pytest.approx(1))
