"""The fuzzers: their seeds always, ten minutes each among the long tests (BALIZA_FUZZ_SECONDS says another time)."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.fuzz.targets import TARGETS

SEEDS = sorted((Path(__file__).parent / "seeds").glob("*/*"))
SECONDS = int(os.environ.get("BALIZA_FUZZ_SECONDS", "600"))


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: f"{seed.parent.name}-{seed.name}")
def test_a_seed_is_no_finding(seed: Path) -> None:
    TARGETS[seed.parent.name](seed.read_bytes())


def test_there_are_seeds_for_every_target() -> None:
    assert {seed.parent.name for seed in SEEDS} == TARGETS.keys()


@pytest.mark.long
@pytest.mark.timeout(SECONDS + 180)
@pytest.mark.skipif(find_spec("atheris") is None, reason="atheris is not installed: it comes for Linux on x86-64 only")
@pytest.mark.parametrize("target", sorted(TARGETS))
def test_fuzzer_finds_nothing(target: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.fuzz.run", target, "--seconds", str(SECONDS), "--found", str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS + 120)
    findings = [(file.name, file.read_bytes()) for file in tmp_path.iterdir()]
    assert (ended.returncode, findings) == (0, []), ended.stderr[-4000:]
    assert "Done " in ended.stderr, "it ran to its end"
