"""The simulated shoppers as a process; that they are seen shopping is in tests/whole."""

import threading
from typing import Any

import pytest

from baliza.settings import Settings
from demo import serve


def test_walks_at_the_pace_that_the_environment_says(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    walked: list[tuple[Any, ...]] = []
    monkeypatch.setattr(serve, "run", lambda *given: walked.append(given))
    monkeypatch.setattr(
        serve, "run_loop", lambda name, chosen, loop, probes: (name, loop(chosen, threading.Event()), probes)
    )
    monkeypatch.setenv("BALIZA_DEMO_PER_MINUTE", "120")
    monkeypatch.setenv("BALIZA_DEMO_SPEED", "3")
    serve.serve_shoppers(settings)
    ((base_url, key, per_minute, speed, *_),) = walked
    assert (base_url, key, per_minute, speed) == (settings.base_url, "pk_demo", 120.0, 3.0)
