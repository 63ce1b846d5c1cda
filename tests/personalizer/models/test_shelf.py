"""Models change while requests go on."""

import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest

from personalizer.models.shelf import ModelShelf
from personalizer.models.store import ModelStore
from tests.personalizer.planted import NOW, planted_model
from tests.support.clock import Clock
from tests.support.waiting import wait_for


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models")


def save(store: ModelStore, hours: int = 0) -> str:
    return store.save("demo", planted_model(), {}, NOW + timedelta(hours=hours))


def version(shelf: ModelShelf) -> str | None:
    model = shelf.get("demo")
    return model.version if model else None


def damage(store: ModelStore, name: str) -> None:
    (store.model_dir / "demo" / name / "item_ids.npy").write_bytes(b"not an array")


def test_serves_the_current_model_from_the_first_request_on(store: ModelStore) -> None:
    saved = save(store)
    assert version(ModelShelf(store, Clock(0.0))) == saved


def test_has_nothing_until_a_model_appears(store: ModelStore) -> None:
    clock = Clock(0.0)
    shelf = ModelShelf(store, clock)
    assert shelf.get("demo") is None
    saved = save(store)
    assert shelf.get("demo") is None  # looked a moment ago
    clock.now_s = 1.0
    wait_for(lambda: version(shelf) == saved, 10)


def test_looks_once_a_second(store: ModelStore) -> None:
    clock = Clock(0.0)
    old = save(store)
    shelf = ModelShelf(store, clock)
    shelf.get("demo")
    new = save(store, hours=1)
    clock.now_s = 0.99
    assert version(shelf) == old
    clock.now_s = 1.0
    wait_for(lambda: version(shelf) == new, 10)


def test_keeps_the_old_model_when_the_new_one_is_broken(store: ModelStore, caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock(0.0)
    old = save(store)
    shelf = ModelShelf(store, clock)
    shelf.get("demo")
    damage(store, save(store, hours=1))
    clock.now_s = 1.0
    shelf.get("demo")
    wait_for(lambda: "the one before goes on serving" in caplog.text, 10)
    assert version(shelf) == old
    clock.now_s = 2.0
    shelf.get("demo")
    assert caplog.text.count("is damaged") == 1  # told once, not every second


def test_takes_the_next_good_model_after_a_broken_one(store: ModelStore) -> None:
    clock = Clock(0.0)
    damage(store, save(store))
    shelf = ModelShelf(store, clock)
    assert shelf.get("demo") is None
    good = save(store, hours=1)
    clock.now_s = 1.0
    wait_for(lambda: version(shelf) == good, 10)


def test_a_folder_that_cannot_be_read_is_told_once_and_no_error_of_a_request(
    store: ModelStore, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock(0.0)
    store.model_dir.parent.mkdir(exist_ok=True)
    store.model_dir.write_text("a file where a folder should be")
    shelf = ModelShelf(store, clock)
    for clock.now_s in (0.0, 1.0, 2.0):
        assert shelf.get("demo") is None
    assert caplog.text.count("cannot be read") == 1
    store.model_dir.unlink()
    saved = save(store)
    clock.now_s = 3.0
    wait_for(lambda: version(shelf) == saved, 10)


def test_swaps_under_load_without_a_request_that_finds_nothing(store: ModelStore) -> None:
    save(store)
    shelf = ModelShelf(store, lambda: 10 * time.monotonic())  # so that it looks ten times a second
    shelf.get("demo")
    stop, served, slowest, failed = threading.Event(), set[str](), [0.0] * 4, list[str]()

    def ask(worker: int) -> None:
        while not stop.is_set():
            began = time.monotonic()
            model = shelf.get("demo")
            if model is None or model.facts(0).item_id != "bulb":
                failed.append("a request found no whole model")
                return
            served.add(model.version)
            slowest[worker] = max(slowest[worker], time.monotonic() - began)
            time.sleep(0.0005)  # as a request waits for the live store; else four loops keep the loading thread out

    workers = [threading.Thread(target=ask, args=(worker,)) for worker in range(4)]
    for worker in workers:
        worker.start()
    try:
        for hours in range(1, 4):
            saved = save(store, hours)
            wait_for(lambda saved=saved: saved in served, 10)  # type: ignore[misc]
    finally:
        stop.set()
        for worker in workers:
            worker.join()
    assert not failed
    assert len(served) == 4
    assert max(slowest) < 1, "a request waited for a model to be loaded"


def test_filled_it_waits_for_nothing(store: ModelStore) -> None:
    saved = save(store)
    shelf = ModelShelf(store, Clock(0.0), waits=False)
    shelf.fill()
    assert version(shelf) == saved


def test_unfilled_it_has_none_until_the_first_is_loaded(store: ModelStore) -> None:
    saved = save(store)
    loading, go_on = threading.Event(), threading.Event()

    def prepare(_site: str, _model: object) -> None:
        loading.set()
        go_on.wait(10)

    shelf = ModelShelf(store, Clock(0.0), prepare, waits=False)
    assert version(shelf) is None
    assert loading.wait(10)
    assert version(shelf) is None
    go_on.set()
    wait_for(lambda: version(shelf) == saved, 10)


def test_every_model_is_prepared_before_it_serves(store: ModelStore) -> None:
    clock = Clock(0.0)
    seen: list[tuple[str, str, str | None]] = []
    serving: list[str | None] = [None]
    shelf = ModelShelf(store, clock, lambda site, model: seen.append((site, model.version, serving[0])))
    first = save(store)
    serving[0] = version(shelf)
    second, clock.now_s = save(store, 1), 1.0
    wait_for(lambda: version(shelf) == second, 10)
    assert seen == [("demo", first, None), ("demo", second, first)]
