from loadtests.limits import Limits, broken

LIMITS = Limits(failed_share=0.001, p99_ms=250)


def test_keeps_quiet_at_the_limits() -> None:
    assert broken(LIMITS, 1000, 0.001, 250) == []


def test_tells_failures_and_slowness_apart() -> None:
    assert [sentence.split(",")[0] for sentence in broken(LIMITS, 1000, 0.002, 251)] == [
        "expected at most 0.10% failed requests",
        "expected 99 % of answers within 250 ms",
    ]


def test_no_difference_is_borne() -> None:
    assert broken(LIMITS, 1000, 0, 1, ["1 accepted events are missing"]) == ["1 accepted events are missing"]


def test_a_run_without_requests_has_failed() -> None:
    assert broken(LIMITS, 0, 0.0, 0.0) == ["expected requests, none was sent"]
