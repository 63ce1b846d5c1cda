from dataclasses import replace

import pytest

from loadtests import bench
from loadtests.figures import Figure
from loadtests.targets import TARGETS, Target, judged, targets_table, too_far

RATIO = Target("one event", "cost ÷ F", 1 / 8, "F / {inverse}")
SPEED = Target("ingest", "carried", 50_000, "{} events", least=True)
TARGET_PAIR = (RATIO, SPEED)


def figures(ratio: float, speed: float) -> list[Figure]:
    return [Figure("collector", "cost ÷ F", ratio, "×"), Figure("ingest", "carried", speed, "events/CPU s")]


def test_says_what_was_wanted_and_what_came() -> None:
    first, second = judged(figures(0.1, 60_000), TARGET_PAIR)
    assert (first.target, first.got, first.met) == ("≤ F / 8.00", "F / 10.0", True)
    assert (second.target, second.got, second.met) == ("≥ 50,000 events", "60,000 events", True)


def test_the_limit_itself_is_good_enough() -> None:
    assert [verdict.met for verdict in judged(figures(1 / 8, 50_000), TARGET_PAIR)] == [True, True]


def test_a_miss_is_measured_as_a_share_of_the_limit() -> None:
    verdicts = judged(figures(0.25, 40_000), TARGET_PAIR)
    assert [verdict.met for verdict in verdicts] == [False, False]
    assert [verdict.missed_by for verdict in verdicts] == pytest.approx([1.0, 0.25])
    assert len(too_far(verdicts, 0.2)) == 2
    assert too_far(verdicts, 0.3) == ["one event: expected ≤ F / 8.00, got F / 4.00, which misses it by 100%"]
    assert too_far(verdicts, 1.1) == []


def test_dreams_fail_nothing() -> None:
    (verdict,) = judged(figures(0.25, 1), [replace(RATIO, dream=True)])
    assert verdict.met is False
    assert too_far([verdict], 0) == []
    assert "one event (the dream)" in targets_table([verdict])


def test_what_was_not_measured_is_told_and_fails_nothing() -> None:
    verdicts = judged([], TARGET_PAIR)
    assert too_far(verdicts, 0) == []
    assert "| one event | ≤ F / 8.00 | not measured | — |" in targets_table(verdicts).splitlines()


def test_every_target_has_its_own_figure() -> None:
    assert len({target.figure for target in TARGETS}) == len(TARGETS)


def test_figures_of_a_run_without_some_parts_are_judged_as_far_as_they_go() -> None:
    found = bench.Measured([Figure("memory", "Valkey, per live visitor", 900.0, "bytes")])
    verdicts = judged(found.figures)
    assert [verdict.met for verdict in verdicts if verdict.met is not None] == [True]
