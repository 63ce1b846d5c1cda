from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from loadtests import report
from loadtests.figures import Figure
from loadtests.report import BEGIN, END, Result, between_markers, markdown, newest, save
from loadtests.steady import Curve, Point
from loadtests.targets import Verdict

COST = Figure("collector", "collector, 1 event a request, 64 in flight", 48.94, "µs CPU per event", "b", (47.0, 48.94, 52.0))
RESULT = Result(
    taken_at="2026-11-21T10:00:00+00:00",
    label="amd-epyc-2-cores",
    command="python -m loadtests.bench",
    quick=False,
    took_s=240.0,
    machine={"cpu": "AMD EPYC", "cores": "2"},
    versions={"python": "3.11.7"},
    sizes={"rounds": "3"},
    figures=[COST, Figure("replay", "sent per second", 9_392.1, "events/s")],
    curves=[Curve("collector", "events", [Point(0.1, 500, 500, 1, 2, 3, 0.1), Point(1.1, 5_500, 5_000, 40, 80, 90, 0.1)])],
    targets=[Verdict("memory", "≤ 1,500 bytes", "950 bytes", True)],
)


def test_table_shows_figures_with_their_spread() -> None:
    text = markdown(RESULT)
    assert (
        "| collector | collector, 1 event a request, 64 in flight | 48.9 | µs CPU per event | b; 47.0 to 52.0 in 3 rounds |"
        in text.splitlines()
    )
    assert "| replay | sent per second | 9,390 | events/s |  |" in text.splitlines()


def test_targets_stand_first_then_curves_then_figures() -> None:
    text = markdown(RESULT)
    places = [
        text.index(part) for part in ("| memory | ≤ 1,500 bytes | 950 bytes | yes |", "| 110% | 5,500 |", "| collector |")
    ]
    assert places == sorted(places)


def test_results_of_before_are_still_read() -> None:
    old = msgspec.to_builtins(RESULT)
    del old["curves"], old["targets"]
    assert "| 48.9 |" in markdown(msgspec.convert(old, Result))


def test_says_how_to_repeat_it() -> None:
    text = markdown(RESULT)
    for fact in ("2026-11-21", "`python -m loadtests.bench`", "AMD EPYC", "python 3.11.7", "rounds 3", "a full run"):
        assert fact in text


def test_saved_results_are_read_back_the_same(tmp_path: Path) -> None:
    file = save(RESULT, tmp_path)
    assert file.name == "2026-11-21-amd-epyc-2-cores.md"
    stored = msgspec.json.decode(file.with_suffix(".json").read_bytes(), type=Result)
    assert markdown(stored) == markdown(RESULT)
    assert stored.figures[0] == COST


def test_newest_is_the_last_full_result(tmp_path: Path) -> None:
    assert newest(tmp_path) is None
    later = msgspec.structs.replace(RESULT, taken_at="2026-11-22T09:00:00+00:00")
    quick = msgspec.structs.replace(RESULT, taken_at="2026-11-23T09:00:00+00:00", quick=True)
    for result in (later, RESULT, quick):
        save(result, tmp_path)
    found = newest(tmp_path)
    assert found is not None
    assert found.taken_at == later.taken_at


def test_puts_text_between_markers_and_touches_nothing_else() -> None:
    text = f"# Page\n{BEGIN}\nold\n{END}\nafter\n"
    once = between_markers(text, "new\n")
    assert once == f"# Page\n{BEGIN}\nnew\n{END}\nafter\n"
    assert between_markers(once, "new\n") == once


@pytest.mark.parametrize("text", ["", BEGIN, f"{END}{BEGIN}", f"{BEGIN}{BEGIN}{END}", f"{BEGIN}{END}{END}"])
def test_refuses_a_page_whose_markers_are_not_in_order(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        between_markers(text, "new")


def test_docs_get_table_and_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docs, results = tmp_path / "docs", tmp_path / "results"
    docs.mkdir()
    (docs / "performance.md").write_text(f"# Page\n{BEGIN}\n{END}\n")
    save(RESULT, results)
    monkeypatch.setattr(report, "ROOT", tmp_path)
    monkeypatch.setattr(report.newest, "__defaults__", (results,))
    done = CliRunner().invoke(report.main, ["--docs"])
    assert done.exit_code == 0, done.output
    assert "| 48.9 |" in (docs / "performance.md").read_text()
    for name in ("performance.svg", "performance-collector.svg"):
        assert (docs / name).read_text().startswith("<svg")
        assert f"({name})" in (docs / "performance.md").read_text()


def test_docs_page_of_the_project_has_the_markers() -> None:
    page = (report.ROOT / "docs" / "performance.md").read_text()
    assert "kept" in between_markers(page, "kept")
