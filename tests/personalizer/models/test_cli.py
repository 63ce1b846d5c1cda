"""`baliza model`: look at the models and choose the one that serves."""

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from baliza.errors import NotFound
from personalizer.models.cli import model
from personalizer.models.next_item import compiled
from personalizer.models.store import ModelStore
from tests.personalizer.planted import NOW, planted_model


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelStore:
    monkeypatch.setenv("BALIZA_DATA_DIR", str(tmp_path))
    return ModelStore(tmp_path / "models")


def save(store: ModelStore, hours: int = 0, *, serve: bool = True, **about: object) -> str:
    counts = {"counts": {"sessions": 1200 + hours, "items": 6}}
    return store.save("demo", planted_model(), counts | about, NOW + timedelta(hours=hours), serve=serve)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(model, list(arguments))


def test_lists_versions_newest_first_with_what_they_are_worth(store: ModelStore) -> None:
    first = save(store, full=True, trial={"mrr@20": 0.31234})
    second = save(store, 1, serve=False, refused="MRR@20 fell [a lot]")
    lines = [line for line in run("list", "--site", "demo").output.splitlines() if "20261121" in line]
    assert [second in lines[0], first in lines[1]] == [True, True]
    assert "refused: MRR@20 fell [a lot]" in lines[0]
    for said in ("serves", "1,200", "anew", "0.312"):
        assert said in lines[1]


def test_says_what_each_version_was_learned_on(store: ModelStore) -> None:
    first, second, third = save(store), save(store, 1, full=True), save(store, 2, full=False, on_top_of="x")
    lines = run("list", "--site", "demo").output.splitlines()
    told = {version: next(line for line in lines if version in line) for version in (first, second, third)}
    assert "what is counted alone" in told[first]
    assert "anew" in told[second]
    assert "on top of another" in told[third]


def test_shows_what_was_written_down(store: ModelStore) -> None:
    version = save(store, parameters={"neighbours": 50})
    shown = json.loads(run("show", "--site", "demo").output)
    assert (shown["version"], shown["parameters"]) == (version, {"neighbours": 50})
    assert "arrays" not in shown
    assert isinstance(run("show", "--site", "demo", "x").exception, NotFound)


def test_holds_a_version_and_lets_go(store: ModelStore) -> None:
    old, new = save(store), save(store, 1)
    assert f"{old} serves until" in run("use", "--site", "demo", old).output
    assert "serves, held" in run("list", "--site", "demo").output
    assert store.current("demo") == old
    assert run("use", "--site", "demo", "newest").output == f"demo: {new} serves, and newer ones will\n"
    assert store.current("demo") == new


def test_a_site_without_models_is_told(store: ModelStore) -> None:
    error = run("list", "--site", "nowhere").exception
    assert isinstance(error, NotFound)
    assert "no model of 'nowhere'" in str(error)


def test_compiles_ahead(store: ModelStore) -> None:
    assert re.fullmatch(r"compiled functions are ready after \d+\.\d s\n", run("compile").output)
    assert compiled.compiled()
