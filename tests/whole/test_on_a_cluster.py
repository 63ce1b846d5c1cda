"""The same tests on a Valkey cluster: whatever talks to the live store does there what it does on one server."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SUITES = (
    "tests/schema",
    "tests/tracker",
    "tests/personalizer",
    "tests/console",
    "tests/baliza/test_lease.py",
    "tests/baliza/test_sites.py",
    "tests/baliza/test_stores.py",
    "tests/baliza/test_status.py",
)
# They look at the figures of one server.
OF_ONE_SERVER = ("commands_of_the_store",)
MARKS = "(redis or network) and not long and not browser and not alone"


@pytest.mark.long
@pytest.mark.network
@pytest.mark.timeout(1800)
def test_the_same_tests_pass_on_a_cluster() -> None:
    others = " and ".join(f"not {name}" for name in OF_ONE_SERVER)
    words = ["-q", "-p", "no:cacheprovider", "-m", MARKS, "-k", others, *SUITES]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words],
        cwd=ROOT,
        env=os.environ | {"BALIZA_TEST_LIVE_STORE": "cluster", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=1700,
        check=False,
    )
    summary = done.stdout.splitlines()[-1]
    print(f"\non a cluster: {summary}")  # noqa: T201 - the figures of this run
    assert done.returncode == 0, done.stdout[-8000:]
    assert int(summary.split(" passed")[0].split()[-1]) > 400
