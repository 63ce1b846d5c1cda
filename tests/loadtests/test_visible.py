from pathlib import Path

import pytest

from loadtests import visible


def test_percentiles_of_the_waits_are_in_seconds() -> None:
    seen = visible.Seen([number / 100 for number in range(1, 101)], [0.02, 0.03, 0.04])
    figures = {figure.name: figure for figure in visible._figures(seen, 5_000, 0.6)}
    assert figures[visible.P99].value == pytest.approx(0.99)
    assert figures[visible.WAIT.format("most")].value == pytest.approx(1.0)
    assert "100 marks among 5,000 events a second" in figures[visible.P99].note


@pytest.mark.network
@pytest.mark.redis
@pytest.mark.clickhouse
@pytest.mark.long
def test_every_mark_comes_into_the_report(tmp_path: Path) -> None:
    figures = visible.measure(tmp_path, 200, 1.5, lambda _text: None)
    names = [visible.WAIT.format(name) for name in ("p50", "p90", "p99", "most")]
    assert [figure.name for figure in figures] == [*names, *(name + visible.CRAMPED for name in names)]
    assert 0 < figures[0].value <= figures[3].value < 30
    assert figures[0].note.startswith("30 marks")
