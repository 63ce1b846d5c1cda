"""Model files: whole or not at all."""

import json
import os
from datetime import timedelta
from pathlib import Path

import pytest

from baliza.errors import NotFound
from personalizer.models.store import BrokenModel, ModelStore
from tests.personalizer.planted import ITEMS, NOW, planted_model


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models")


def save(store: ModelStore, hours: int = 0) -> str:
    return store.save("demo", planted_model(), {"counts": {"items": 6}}, NOW + timedelta(hours=hours))


def test_loads_what_was_saved(store: ModelStore) -> None:
    version = save(store)
    model = store.load("demo")
    assert model is not None
    assert model.version == version
    assert [model.facts(n).item_id for n in range(len(model))] == ITEMS
    assert not model.bought.items.flags.writeable  # mapped from the file


def test_has_no_model_before_the_first(store: ModelStore) -> None:
    assert store.current("demo") is None
    assert store.load("demo") is None


def test_writes_down_what_the_model_is_made_of(store: ModelStore) -> None:
    meta = store.meta("demo", save(store))
    assert (meta["format"], meta["site"], meta["counts"]) == (3, "demo", {"items": 6})


def test_keeps_the_last_three(store: ModelStore) -> None:
    versions = [save(store, hours) for hours in range(5)]
    assert store.versions("demo") == versions[2:]
    assert store.current("demo") == versions[4]
    assert not [file.name for file in (store.model_dir / "demo").iterdir() if file.name.startswith(".")]


def test_two_versions_of_the_same_moment_both_stand(store: ModelStore) -> None:
    assert save(store) != save(store)
    assert len(store.versions("demo")) == 2


def test_sites_do_not_see_each_other(store: ModelStore) -> None:
    save(store)
    assert store.load("other") is None


def test_refuses_a_newer_format(store: ModelStore) -> None:
    file = store.model_dir / "demo" / save(store) / "meta.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"format": 4}))
    with pytest.raises(BrokenModel, match="has format 4, this program reads format 3"):
        store.load("demo")


def test_refuses_a_damaged_array(store: ModelStore) -> None:
    file = store.model_dir / "demo" / save(store) / "bought.items.npy"
    content = bytearray(file.read_bytes())
    content[-1] ^= 0xFF
    file.write_bytes(bytes(content))
    with pytest.raises(BrokenModel, match=r"bought\.items\.npy is damaged"):
        store.load("demo")


@pytest.mark.parametrize("name", ["meta.json", "item_ids.npy", "sellers.starts.npy"])
def test_refuses_a_model_that_misses_a_file(store: ModelStore, name: str) -> None:
    (store.model_dir / "demo" / save(store) / name).unlink()
    with pytest.raises(BrokenModel, match="cannot be read"):
        store.load("demo")


def test_refuses_a_list_of_arrays_that_is_not_whole(store: ModelStore) -> None:
    file = store.model_dir / "demo" / save(store) / "meta.json"
    meta = json.loads(file.read_text())
    del meta["arrays"]["viewed.items"]
    file.write_text(json.dumps(meta))
    with pytest.raises(BrokenModel, match=r"viewed\.items"):
        store.load("demo")


def test_refuses_a_pointer_to_nothing(store: ModelStore) -> None:
    save(store)
    (store.model_dir / "demo" / "current").write_bytes(b"\xff\xfe")
    with pytest.raises(BrokenModel):
        store.load("demo")


def test_a_refused_version_is_kept_and_does_not_serve(store: ModelStore) -> None:
    good = save(store)
    refused = store.save("demo", planted_model(), {"refused": "worse"}, NOW + timedelta(hours=1), serve=False)
    assert store.current("demo") == good
    assert store.versions("demo") == [good, refused]


def test_the_serving_version_stays_however_many_are_refused(store: ModelStore) -> None:
    good = save(store)
    for hours in range(1, 6):
        store.save("demo", planted_model(), {"refused": "worse"}, NOW + timedelta(hours=hours), serve=False)
    assert store.current("demo") == good
    assert store.load("demo") is not None
    assert len(store.versions("demo")) == 4


def test_a_held_version_serves_on_when_newer_ones_come(store: ModelStore) -> None:
    old, _ = save(store), save(store, 1)
    store.hold("demo", old)
    assert (store.current("demo"), store.held("demo")) == (old, old)
    newest = [save(store, hours) for hours in range(2, 7)][-1]
    assert store.current("demo") == old
    assert store.load("demo") is not None
    assert store.release("demo") == newest
    assert (store.current("demo"), store.held("demo")) == (newest, None)


def test_released_the_newest_good_one_serves(store: ModelStore) -> None:
    old, good = save(store), save(store, 1)
    store.save("demo", planted_model(), {"refused": "worse"}, NOW + timedelta(hours=2), serve=False)
    store.hold("demo", old)
    assert store.release("demo") == good


def test_holds_nothing_that_it_does_not_have_or_cannot_read(store: ModelStore) -> None:
    with pytest.raises(NotFound, match=r"models of 'demo' \(there are none\), got 'x'"):
        store.hold("demo", "x")
    with pytest.raises(NotFound, match="no model of 'demo' that could serve"):
        store.release("demo")
    broken, good = save(store), save(store, 1)
    (store.model_dir / "demo" / broken / "item_ids.npy").unlink()
    with pytest.raises(BrokenModel, match="cannot be read"):
        store.hold("demo", broken)
    assert (store.current("demo"), store.held("demo")) == (good, None)


def test_what_a_killed_training_left_half_written_goes_the_day_after(store: ModelStore) -> None:
    save(store)
    for age_s in (60, 90_000):
        draft = store.model_dir / "demo" / f".20261120T{age_s:06}.000000Z-0.{age_s}"
        draft.mkdir()
        os.utime(draft, (NOW.timestamp() - age_s,) * 2)
    save(store)
    assert [draft.suffix for draft in store.model_dir.glob("demo/.2*")] == [".60"]
