"""The whole product as a newcomer starts it: `baliza demo` in an empty folder, on free ports."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from baliza.embedded.valkey import free_port
from tests.support.browser import browser, chromium_path
from tests.support.waiting import wait_for

__all__ = ["browser", "chromium_path", "running"]

START_WITHIN_S = 100  # far beyond what it takes; a test gets 120


@dataclass
class Running:
    """A running demo. `output` is what it printed so far."""

    public: str
    private: str
    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def output(self) -> str:
        return (self.folder / "output.txt").read_text()

    def shop_server(self) -> httpx.Client:
        """What the shop's own server may do."""
        return httpx.Client(base_url=self.public, headers={"Authorization": "Bearer sk_demo"}, trust_env=False, timeout=10)

    def marketer(self) -> httpx.Client:
        return httpx.Client(base_url=self.private, headers={"Authorization": "Bearer tok_demo"}, trust_env=False, timeout=10)


@pytest.fixture(scope="package")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("demo")
    public, private = free_port(), free_port()
    env = os.environ | {
        "BALIZA_PUBLIC_PORT": str(public),
        "BALIZA_PRIVATE_PORT": str(private),
        "BALIZA_DATA_DIR": str(folder / "data"),
    }
    with (folder / "output.txt").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "baliza.cli", "demo"], stdout=output, stderr=output, env=env, cwd=folder
        )
    demo = Running(f"http://127.0.0.1:{public}", f"http://127.0.0.1:{private}", folder, process)
    try:
        wait_for(lambda: process.poll() is not None or "ready after" in demo.output, START_WITHIN_S, lambda: demo.output)
        assert process.poll() is None, demo.output
        yield demo
    finally:
        process.send_signal(signal.SIGINT)
        status = process.wait(60)
    assert status == 0, demo.output
