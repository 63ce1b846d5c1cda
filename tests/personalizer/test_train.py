"""Training on a real history."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from baliza.settings import Settings
from baliza.sites import Site
from baliza.stores import History, RedisClient
from personalizer import train as training
from personalizer.decision import decide
from personalizer.models.store import ModelStore
from personalizer.train import enough_to_begin, serve_trainer, train
from tests.personalizer.planted import BOUGHT, ITEMS, NOW, NOW_MS, VIEWED, planted_history
from tests.support.rows import event_row, insert_events

SITE = Site("demo", "pk_demo", "", ("http://shop.test",))
pytestmark = pytest.mark.clickhouse


def test_finds_the_planted_companions(history: History, settings: Settings) -> None:
    insert_events(history, planted_history())
    trained = train(history, settings, SITE, NOW)
    model = ModelStore(settings.model_dir).load("demo")
    assert trained is not None
    assert model is not None
    assert (trained.version, trained.sessions, trained.items) == (model.version, len(BOUGHT) + len(VIEWED), len(ITEMS))
    first = {item: decide(model, None, "product-detail", item, 1, NOW_MS)[0] for item in ITEMS}
    assert {item: first[item].item_id for item in ("lamp", "phone", "case", "torch")} == {
        "lamp": "bulb", "phone": "case", "case": "phone", "torch": "lamp",
    }  # fmt: skip
    assert (first["lamp"].reason, first["torch"].reason) == ("bought_together", "viewed_together")
    assert decide(model, None, "home", None, 1, NOW_MS)[0].item_id == "rug"


def test_offers_carry_what_the_history_said(history: History, settings: Settings) -> None:
    insert_events(history, planted_history())
    train(history, settings, SITE, NOW)
    model = ModelStore(settings.model_dir).load("demo")
    assert model is not None
    offer = decide(model, None, "home", None, 1, NOW_MS)[0]
    assert (offer.title, offer.url, str(offer.price), offer.currency) == (
        "Name of rug",
        "http://shop.test/p/rug",
        "39.90",
        "EUR",
    )


def test_without_history_it_writes_nothing_and_says_so(
    history: History, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        assert train(history, settings, SITE, NOW) is None
    assert "no model for demo" in caplog.text
    assert not settings.model_dir.exists()


def test_bots_teach_nothing(history: History, settings: Settings) -> None:
    insert_events(history, [row | {"bot": "crawler"} for row in planted_history()])
    assert train(history, settings, SITE, NOW) is None


def test_writes_down_its_data_and_parameters(history: History, settings: Settings) -> None:
    insert_events(history, planted_history())
    trained = train(history, settings, SITE, NOW)
    assert trained is not None
    meta = ModelStore(settings.model_dir).meta("demo", trained.version)
    assert meta["trained_at"] == "2026-11-21T12:00:00+00:00"
    assert meta["counts"]["sessions"] == len(BOUGHT) + len(VIEWED)
    assert meta["data"]["since"] == "2026-08-23T00:00:00+00:00"
    assert meta["parameters"]["neighbours"] == 50


def test_the_same_history_gives_the_same_model(history: History, settings: Settings) -> None:
    insert_events(history, planted_history())
    store = ModelStore(settings.model_dir)
    versions = [trained.version for trained in (train(history, settings, SITE, NOW) for _ in range(2)) if trained]
    first, second = (store.meta("demo", version)["arrays"] for version in versions)
    assert first == second


def test_tells_how_far_it_is(history: History, settings: Settings) -> None:
    insert_events(history, planted_history())
    told: list[float] = []
    train(history, settings, SITE, NOW, lambda _step, done: told.append(done))
    assert told == sorted(told)
    assert (told[0], told[-1]) == (0.0, 1.0)


def test_begins_at_twenty_sessions(history: History, settings: Settings) -> None:
    items = [("lamp", "light", "1", 1)]
    insert_events(history, [event_row(type="view_item", session_id=f"s-{n}", items=items) for n in range(19)])
    later = datetime(2026, 11, 21, 13, tzinfo=UTC)
    assert not enough_to_begin(history, settings, SITE, later)
    insert_events(history, [event_row(type="view_item", session_id="s-19", items=items)])
    assert enough_to_begin(history, settings, SITE, later)


@pytest.mark.redis
def test_the_loop_trains_as_soon_as_there_is_enough_and_outlives_errors(
    history: History, settings: Settings, redis_client: RedisClient, demo_site: Site,
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    monkeypatch.setattr(training, "FIRST_LOOK_S", 0.05)
    history.rows("RENAME TABLE events TO events_away")
    stop = threading.Event()
    loop = threading.Thread(target=serve_trainer, args=(settings, stop))
    loop.start()
    try:
        _wait(lambda: "training failed" in caplog.text)
        history.rows("RENAME TABLE events_away TO events")
        insert_events(history, planted_history(datetime.now(UTC)))
        store = ModelStore(settings.model_dir)
        _wait(lambda: store.current("demo") is not None)
        time.sleep(0.3)
        assert len(store.versions("demo")) == 1  # the next one is due after train_interval_s
    finally:
        stop.set()
        loop.join()


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not happen within twenty seconds"
        time.sleep(0.02)
