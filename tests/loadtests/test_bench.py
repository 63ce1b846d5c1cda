import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from loadtests import bench, loading
from loadtests.bench import Measured, main
from loadtests.figures import Figure
from loadtests.offers_split import real_split
from loadtests.report import Result

ROOT = Path(__file__).parents[2]


@pytest.mark.long
@pytest.mark.network
@pytest.mark.timeout(600)
def test_a_quick_run_measures_everything(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "loadtests.bench", "--quick", "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=580, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    result = msgspec.json.decode(next(tmp_path.glob("*-quick.json")).read_bytes(), type=Result)
    parts = {
        "collector", "load", "latency", "ingest", "offers", "replay", "visible", "memory", "start", "offers, large",
        "offers, end to end",
    } | ({"offers, model"} if real_split() else set())  # fmt: skip
    assert {figure.part for figure in result.figures} == parts
    assert all(figure.value > 0 for figure in result.figures)
    assert next(tmp_path.glob("*.md")).read_text().endswith(done.stdout.rstrip("\n") + "\n")
    assert [curve.name for curve in result.curves] == ["collector", "offers", "offers-real"]
    here = [
        verdict for verdict in result.targets if not verdict.dream and (real_split() or "RetailRocket" not in verdict.what)
    ]
    assert all(verdict.met is not None for verdict in here)


def test_visible_alone_says_what_it_needs(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["--only", "visible", "--out", str(tmp_path)])
    assert done.exit_code == 1
    assert "measure `latency` too" in done.output


@pytest.mark.parametrize(("tolerance", "code"), [("0.1", 1), ("2", 0)])
def test_a_missed_target_fails_a_checked_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tolerance: str, code: int
) -> None:
    found = Measured([Figure("latency", f"p99, {loading.HALF}", 25.0, "ms")])
    monkeypatch.setattr(bench, "run", lambda *_: found)
    done = CliRunner().invoke(main, ["--check", "--tolerance", tolerance, "--out", str(tmp_path)])
    assert done.exit_code == code, done.output
    assert ("expected ≤ 10.0 ms, got 25.0 ms, which misses it by 150%" in done.output) is bool(code)
    unchecked = CliRunner().invoke(main, ["--out", str(tmp_path)])
    assert unchecked.exit_code == 0
    assert "| ≤ 10.0 ms | 25.0 ms | **no** |" in unchecked.output
