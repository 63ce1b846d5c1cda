"""Locust runs in a process of its own here, because it patches the standard library when it is imported."""

import subprocess
import sys
from pathlib import Path

import pytest

from loadtests.payloads import KEY, SHOP
from loadtests.servers import box

ROOT = Path(__file__).parents[2]


def locust(url: str, key: str, seconds: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "locust", "-f", "loadtests/locustfile.py", "--headless", "-u", "10", "-r", "10"]
    command += ["-t", f"{seconds}s", "--host", url, "--key", key, "--origin", SHOP, "--speed", "30", "--most-p95-ms", "2000"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.long
@pytest.mark.network
def test_locust_fails_when_requests_fail_and_passes_when_they_do_not(tmp_path: Path) -> None:
    with box(tmp_path) as opened, opened.serving("public") as public:
        good, bad = locust(public.url, KEY, 8), locust(public.url, "pk_nobody", 3)
    assert good.returncode == 0, good.stderr[-3000:]
    assert "/v1/offers" in good.stdout + good.stderr
    assert bad.returncode == 1
    assert "failed requests" in bad.stderr
