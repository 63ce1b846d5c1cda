"""Stopping, and reloading code and models, under load: every request that was sent is answered."""

import shutil
import signal
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from personalizer.models.store import ModelStore
from tests.personalizer.planted import planted_model
from tests.reliability.box import Box
from tests.reliability.crowd import Crowd
from tests.reliability.services import Services
from tests.reliability.truth import stored_ids
from tests.support.collector import RunningCollector
from tests.support.load import Load
from tests.support.product import ROOT, status_of, wait_for
from tests.support.wire import Wire, get

pytestmark = [pytest.mark.network, pytest.mark.redis]

PACKAGES = ("baliza", "schema", "tracker", "personalizer", "console", "demo", "js_beacon")


def header(running: RunningCollector, path: str, name: str) -> str:
    with Wire(running.url) as wire:
        return wire.ask(get(path)).headers[name]


def change(file: Path, before: str, after: str) -> None:
    code = file.read_text()
    assert before in code
    file.write_text(code.replace(before, after))


@pytest.mark.long
def test_a_reload_runs_new_code_or_goes_on_with_the_old_and_fails_no_request(tmp_path: Path) -> None:
    tree = tmp_path / "installed"
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tree / package, ignore=shutil.ignore_patterns("node_modules"))
    env = {"PYTHONPATH": str(tree), "PYTHONSAFEPATH": "1", "BALIZA_COLLECTOR_WORKERS": "2"}
    running = RunningCollector(tmp_path, env)
    try:
        wait_for(lambda: status_of(f"{running.url}/health") == 200, 60, running.log.read_text)
        running.wait_until_ready()
        assert header(running, "/o.gif?key=pk_demo&visitor=v", "cache-control") == "no-store"
        assert header(running, "/b.js", "cache-control") == "public, max-age=3600"
        before = {worker.pid for worker in psutil.Process(running.process.pid).children()}
        kept, new = Load(running, clients=4), Load(running, clients=4, keep_alive=False)
        kept.wait_for(20, timeout_s=60)
        change(tree / "tracker" / "collect.py", '"no-store"', '"no-store, private"')
        change(tree / "tracker" / "app.py", "max-age=3600", "max-age=60")
        running.process.send_signal(signal.SIGHUP)
        wait_for(
            lambda: not before & {worker.pid for worker in psutil.Process(running.process.pid).children()},
            90,
            running.log.read_text,
        )
        for load in (kept, new):
            load.wait_for(20, timeout_s=60)
        assert header(running, "/o.gif?key=pk_demo&visitor=v", "cache-control") == "no-store, private"
        assert header(running, "/b.js", "cache-control") == "public, max-age=60"
        change(tree / "tracker" / "collect.py", "def ", "dfe ")
        running.process.send_signal(signal.SIGHUP)
        wait_for(lambda: running.log.read_text().count("an old one goes on") == 2, 60, running.log.read_text)
        for load in (kept, new):
            load.wait_for(20, timeout_s=60)
            assert set(load.stop()) == {202}, running.log.read_text()
            assert (load.broken, load.refused) == ([], 0)
        assert kept.taken | new.taken <= running.taken()
    finally:
        running.close()


@pytest.mark.clickhouse
def test_models_are_replaced_and_no_offer_fails(services: Services) -> None:
    store = ModelStore(services.folder / "data" / "models")
    now, answers, stop = datetime.now(UTC), Counter[str](), threading.Event()

    def ask() -> None:
        while not stop.is_set():
            found = services.offers("nobody-yet")
            answers["empty" if not found["offers"] else "offers"] += 1

    store.save("demo", planted_model(), {}, now)
    wait_for(lambda: services.offers()["offers"], 10)
    shoppers = [threading.Thread(target=ask) for _ in range(3)]
    for shopper in shoppers:
        shopper.start()
    try:
        for number in range(1, 8):
            version = store.save("demo", planted_model(), {}, now + timedelta(minutes=number))
            more = answers["offers"] + 10
            wait_for(lambda more=more: answers["offers"] >= more, 20)  # type: ignore[misc]
        assert store.current("demo") == version
    finally:
        stop.set()
        for shopper in shoppers:
            shopper.join()
    assert answers["empty"] == 0
    assert answers["offers"] > 60


@pytest.mark.long
def test_stopping_resets_nobody_on_kept_or_new_connections(tmp_path: Path) -> None:
    """A request is answered, or its connection was never taken."""
    for number in range(5):
        running = RunningCollector(tmp_path / str(number), {"BALIZA_COLLECTOR_WORKERS": "2"})
        try:
            wait_for(lambda running=running: status_of(f"{running.url}/health") == 200, 60)  # type: ignore[misc]
            running.wait_until_ready()
            new, kept = Load(running, clients=12, keep_alive=False), Load(running, clients=6)
            new.wait_for(200, timeout_s=60)
            assert running.stop() == 0
            for load in (new, kept):
                assert set(load.stop()) == {202}
                assert load.broken == []
            assert new.refused == 12
            assert new.taken | kept.taken == running.taken()
        finally:
            running.close()


@pytest.mark.long
@pytest.mark.clickhouse
def test_a_box_that_is_stopped_under_load_answers_what_it_takes_and_keeps_it(box: Box) -> None:
    box.open()
    crowd = Crowd(box.url, datetime.now(UTC), 6, batches_per_s=150)
    crowd.wait_for(100)
    assert box.stop(signal.SIGTERM) == 0
    crowd.wait_for(1, "broken")  # nobody listens any more
    assert set(crowd.answers) <= {"200", "202", "broken"}, "who stops last are the stores"
    taken = set(crowd.taken)
    box.start()
    crowd.wait_for(20)
    crowd.stop()
    box.until_nothing_waits()
    with box.stores() as (_, client):
        stored = stored_ids(client)
    assert taken <= crowd.taken <= stored.keys()
    assert max(stored.values()) == 1
    assert box.stop() == 0


@pytest.mark.long
@pytest.mark.clickhouse
def test_a_box_that_is_reloaded_under_load_fails_no_request(box: Box) -> None:
    box.open()
    crowd = Crowd(box.url, datetime.now(UTC), 7, batches_per_s=100)
    crowd.wait_for(50)
    parts = ("public", "ingest", "console", "valkey", "clickhouse")
    before = {part: [process.pid for process in box.processes_of(part)] for part in parts}
    assert "reloading" in box.run("reload")
    wait_for(lambda: "reloaded: " in box.output, 60, lambda: box.output)
    wait_for(lambda: not set(before["public"][1:]) & {each.pid for each in box.processes_of("public")}, 60)
    box.until_well()
    crowd.wait_for(50)
    crowd.stop()
    assert set(crowd.answers) <= {"200", "202"}
    box.until_nothing_waits()
    after = {part: [process.pid for process in box.processes_of(part)] for part in parts}
    assert {part for part in parts if before[part][0] != after[part][0]} == {"ingest", "console"}
    assert len(after["public"]) == 3
    with box.stores() as (_, client):
        assert crowd.taken <= stored_ids(client).keys()
    assert "has ended" not in box.output
    assert box.stop() == 0
