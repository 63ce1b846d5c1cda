"""What long-running processes share, in real processes."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from baliza.embedded.valkey import free_port

LOOP = """
import sys
from baliza.errors import StoreDown
from baliza.loops import run_loop
from baliza.settings import Settings
def loop(settings, stop):
    print("began", flush=True)
    stop.wait()
    print("ended", flush=True)
def probe():
    raise StoreDown("it is away")
run_loop("test", Settings(health_port=int(sys.argv[1])), loop, {"history": probe})
"""


def start(code: str, *arguments: str) -> subprocess.Popen[str]:
    root = Path(__file__).parents[2]
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env=os.environ | {"PYTHONPATH": str(root)},
    )  # fmt: skip


@pytest.mark.network
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_loop_answers_for_its_health_and_stops_on_a_signal(number: signal.Signals) -> None:
    port = free_port()
    process = start(LOOP, str(port))
    assert process.stdout is not None
    assert process.stdout.readline() == "began\n"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
        assert json.load(answer) == {"status": "alive"}
    with pytest.raises(urllib.error.HTTPError) as caught:
        opener.open(f"http://127.0.0.1:{port}/ready", timeout=5)
    with caught.value as answer:
        assert answer.code == 503
    process.send_signal(number)
    said, _ = process.communicate(timeout=10)
    assert (said, process.returncode) == ("ended\n", 0)


def test_a_loop_needs_no_health_port() -> None:
    process = start(LOOP, "0")
    assert process.stdout is not None
    assert process.stdout.readline() == "began\n"
    process.terminate()
    assert process.communicate(timeout=10)[0] == "ended\n"


def test_a_health_port_that_is_taken_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said, _ = start(LOOP, str(port)).communicate(timeout=10)
    assert f"PortTaken: the health port {port} on 127.0.0.1 cannot be had" in said
    assert "BALIZA_HEALTH_PORT" in said
