import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from loadtests.collecting import COLLECTOR
from loadtests.report import Result

ROOT = Path(__file__).parents[2]


@pytest.mark.long
@pytest.mark.network
@pytest.mark.timeout(300)
def test_a_quick_run_measures_everything(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "loadtests.bench", "--quick", "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    result = msgspec.json.decode(next(tmp_path.glob("*-quick.json")).read_bytes(), type=Result)
    assert {figure.part for figure in result.figures} == {"collector", "ingest", "offers", "replay", "memory", "start"}
    assert all(figure.value > 0 for figure in result.figures)
    assert next(tmp_path.glob("*.md")).read_text().endswith(done.stdout.rstrip("\n") + "\n")
    assert any(figure.name.startswith(COLLECTOR) and figure.unit == "×" for figure in result.figures)
