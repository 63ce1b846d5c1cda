from typing import Any

import pytest

from loadtests import collecting
from loadtests.client import Answer, LoadError
from loadtests.closed import Sent
from loadtests.collecting import CASES, COLLECTOR, EMPTY, FIRST, FSYNC, N_LOG, Case, Costs, N, accepted, name_of_ratio

# The answer to a browser names the header that it may read, whether it is there or not.
CORS = b"HTTP/1.1 202 Accepted\r\nAccess-Control-Expose-Headers: X-Baliza-Dropped, X-Baliza-Count"


@pytest.mark.parametrize(
    ("status", "head", "good"),
    [(202, CORS, True), (202, CORS + b"\r\nX-Baliza-Dropped: duplicate", False), (200, CORS, False), (503, b"", False)],
)
def test_only_new_events_count_as_accepted(status: int, head: bytes, good: bool) -> None:
    assert accepted(Answer(status, head, b"")) is good


def costs(first: list[float], **others: list[float]) -> dict[Case, Costs]:
    """The same costs for all cases of the collector, at all numbers in flight."""
    found = {case: Costs(us=first) for case in CASES if case.ours}
    found |= {case: Costs(us=others[case.who]) for case in CASES if case.who in others}
    return found


def test_compares_with_the_better_one_round_by_round() -> None:
    figures = collecting._ratios(
        costs([100.0, 110.0, 160.0], gevent=[400.0, 440.0, 480.0], gthread=[500.0, 390.0, 600.0], gevent_pywsgi=[1100.0] * 3)
    )
    by_name = {figure.name: figure for figure in figures}
    ratio = by_name[name_of_ratio(FIRST, "F")]
    note = "F is the cheapest, gevent; of medians 0.1 × gevent_pywsgi, 0.25 × gevent, 0.22 × gthread"
    assert (ratio.rounds, ratio.note) == ((1 / 4, 1 / 4, 1 / 3), note)
    assert by_name[name_of_ratio(Case(FSYNC, 1, 64), "without fsync")].value == 1


def test_without_nginx_there_are_no_ratios_to_it() -> None:
    without = collecting._ratios(costs([100.0], gevent=[400.0], gthread=[500.0], gevent_pywsgi=[600.0]))
    assert not [figure for figure in without if figure.name.endswith(("÷ N", N_LOG))]
    found = costs([100.0], gevent=[400.0], gthread=[500.0], gevent_pywsgi=[600.0])
    found |= {case: Costs(us=[10.0]) for case in CASES if case.who in (N, N_LOG)}
    beside = {figure.name: figure.value for figure in collecting._ratios(found)}
    assert (beside[name_of_ratio(FIRST, "N")], beside[name_of_ratio(FIRST, N_LOG)]) == (10, 10)


class Streams:
    """Stands for a box of which only this is asked."""

    def __init__(self, events: int) -> None:
        self.events = events

    def streamed(self) -> int:
        return self.events


@pytest.mark.parametrize(("streamed", "sound"), [(99, False), (100, True), (164, True), (165, False)])
def test_more_may_be_in_the_streams_than_the_load_waited_for_but_never_less(streamed: int, sound: bool) -> None:
    box: Any = Streams(streamed)
    if sound:
        assert collecting._found(box, FIRST, Sent(100, 1.0, 0.1)) == streamed
    else:
        with pytest.raises(LoadError, match=f"100 events were accepted, but {streamed}"):
            collecting._found(box, FIRST, Sent(100, 1.0, 0.1))


def test_every_load_of_the_collector_has_its_counterpart() -> None:
    loads = {case.in_flight for case in CASES if case.who == COLLECTOR}
    for kind in EMPTY:
        assert loads <= {case.in_flight for case in CASES if case.who == kind}


def test_cases_have_names_of_their_own() -> None:
    assert len({case.name for case in CASES}) == len(CASES)
