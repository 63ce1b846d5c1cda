"""Services of the product as processes of their own, for as long as a test needs them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from baliza.settings import Settings


@contextmanager
def serving(service: str, settings: Settings, **given: object) -> Iterator[subprocess.Popen[bytes]]:
    """`baliza serve SERVICE` with these settings; told to stop at the end, which must go well."""
    names = ("data_dir", "redis_url", "clickhouse_url", "partitions")
    wanted = {name: getattr(settings, name) for name in names if getattr(settings, name)} | given
    environment = {f"BALIZA_{name.upper()}": str(value) for name, value in wanted.items()}
    process = subprocess.Popen([sys.executable, "-m", "baliza.cli", "serve", service], env=os.environ | environment)
    try:
        yield process
        process.terminate()
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()


def answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 200
    except httpx.TransportError:
        return False
