import random
from datetime import UTC, datetime

import pytest

from loadtests import hit
from tests.support.collector import RunningCollector

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)


def test_looks_first_and_puts_the_same_into_the_cart() -> None:
    view, add = hit.sample_events("http://shop.test", random.Random(1), NOW)
    assert (view["type"], add["type"]) == ("view_item", "add_to_cart")
    assert view["items"] == add["items"]
    assert view["event_id"] != add["event_id"]


@pytest.mark.network
@pytest.mark.redis
def test_shows_the_session_that_it_made(
    collector: RunningCollector, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BALIZA_URL", collector.url)
    assert hit.main() == 0
    out = capsys.readouterr().out
    assert "202 Accepted" in out
    assert '"item_views": 1' in out
    assert '"cart_adds": 1' in out


@pytest.mark.network
def test_says_what_to_do_when_nobody_answers(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("BALIZA_URL", "http://127.0.0.1:1")
    assert hit.main() == 1
    assert "make demo" in capsys.readouterr().err
