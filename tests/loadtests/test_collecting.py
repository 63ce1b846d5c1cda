import pytest

from loadtests.client import Answer
from loadtests.collecting import CASES, COLLECTOR, EMPTY, accepted, times_cheaper

# The answer to a browser names the header that it may read, whether it is there or not.
CORS = b"HTTP/1.1 202 Accepted\r\nAccess-Control-Expose-Headers: X-Baliza-Dropped, X-Baliza-Count"


@pytest.mark.parametrize(
    ("status", "head", "good"),
    [(202, CORS, True), (202, CORS + b"\r\nX-Baliza-Dropped: duplicate", False), (200, CORS, False), (503, b"", False)],
)
def test_only_new_events_count_as_accepted(status: int, head: bytes, good: bool) -> None:
    assert accepted(Answer(status, head, b"")) is good


def test_compares_with_the_better_one_round_by_round() -> None:
    others = {"gevent": [400.0, 440.0, 480.0], "gthread": [500.0, 390.0, 600.0]}
    assert times_cheaper([100.0, 110.0, 160.0], others) == ("gevent", [4.0, 4.0, 3.0])


def test_every_load_of_the_collector_has_its_counterpart() -> None:
    loads = {case.in_flight for case in CASES if case.who == COLLECTOR}
    for kind in EMPTY:
        assert loads <= {case.in_flight for case in CASES if case.who == kind}


def test_cases_have_names_of_their_own() -> None:
    assert len({case.name for case in CASES}) == len(CASES)
