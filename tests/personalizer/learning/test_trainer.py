"""When is trained, and that nothing ends the loop."""

import threading
import time
from datetime import UTC, datetime

import pytest

from baliza.settings import Settings
from baliza.sites import Site, add_site
from baliza.stores import History, RedisClient
from personalizer.learning import trainer
from personalizer.learning.trainer import learn_apart, serve_trainer
from personalizer.models.store import ModelStore
from tests.personalizer.planted import NOW, planted_history, planted_model
from tests.support.rows import insert_events
from tests.support.waiting import looping, wait_for

pytestmark = [pytest.mark.redis, pytest.mark.clickhouse]


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer, "FIRST_LOOK_S", 0.05)


@pytest.mark.usefixtures("own_database")
def test_trains_as_soon_as_there_is_enough_and_outlives_errors(
    history: History, settings: Settings, demo_site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    history.rows("RENAME TABLE events TO events_away")
    with looping(serve_trainer, settings):
        wait_for(lambda: "training failed" in caplog.text, 60)
        history.rows("RENAME TABLE events_away TO events")
        insert_events(history, planted_history(datetime.now(UTC)))
        store = ModelStore(settings.model_dir)
        wait_for(lambda: len(store.versions("demo")) == 2, 60)  # what is counted, then the whole
        time.sleep(0.3)
        assert len(store.versions("demo")) == 2  # the next one is due after train_interval_s


def test_a_site_with_too_little_waits_and_the_others_do_not(
    history: History, settings: Settings, demo_site: Site, redis_client: RedisClient
) -> None:
    add_site(redis_client, "empty", [])
    insert_events(history, planted_history(datetime.now(UTC)))
    learned: list[str] = []
    with looping(serve_trainer, settings, lambda _settings, site, _stop: not learned.append(site.name)):
        wait_for(lambda: bool(learned), 60)
        time.sleep(0.2)
    assert learned == ["demo"]


def test_a_fault_of_one_site_does_not_keep_the_others_from_learning(
    history: History, settings: Settings, demo_site: Site, redis_client: RedisClient, caplog: pytest.LogCaptureFixture
) -> None:
    other = add_site(redis_client, "other", [])[0]
    for name in ("demo", other.name):
        ModelStore(settings.model_dir).save(name, planted_model(), {}, NOW)
    learned: list[str] = []

    def learn(_settings: Settings, site: Site, _stop: threading.Event) -> bool:
        learned.append(site.name)
        if len(learned) == 1:
            raise RuntimeError("no memory")
        return True

    with looping(serve_trainer, settings, learn):
        wait_for(lambda: len(learned) == 2, 60)
    assert set(learned) == {"demo", "other"}
    assert "no memory" in caplog.text


def test_a_child_that_fails_is_told(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    unknown = Site("nowhere", "pk_x", "", ())
    assert not learn_apart(settings, unknown, threading.Event())
    assert "training of nowhere ended with code 2" in caplog.text


def test_told_to_stop_the_child_ends_too(settings: Settings, demo_site: Site, history: History) -> None:
    stop = threading.Event()
    stop.set()
    began = time.monotonic()
    assert not learn_apart(settings, demo_site, stop)
    assert time.monotonic() - began < trainer.LAST_WORDS_S + 5
