"""What is known of models without reading them."""

import sys
from datetime import timedelta
from pathlib import Path
from subprocess import run

from personalizer.models.store import ModelStore
from personalizer.models.versions import ModelVersions
from tests.personalizer.planted import NOW, planted_model


def test_knows_what_the_store_wrote(tmp_path: Path) -> None:
    store = ModelStore(tmp_path)
    first, second = (store.save("demo", planted_model(), {"n": n}, NOW + timedelta(hours=n)) for n in (1, 2))
    known = ModelVersions(tmp_path)
    assert (known.versions("demo"), known.current("demo"), known.held("demo")) == ([first, second], second, None)
    assert known.meta("demo", first)["n"] == 1
    assert known.sites() == ["demo"]
    store.hold("demo", first)
    assert (known.current("demo"), known.held("demo")) == (first, first)


def test_of_an_unknown_site_nothing_is_known(tmp_path: Path) -> None:
    known = ModelVersions(tmp_path)
    assert (known.versions("demo"), known.current("demo"), known.held("demo")) == ([], None, None)
    assert known.sites() == []


def test_the_loops_do_without_what_models_need() -> None:
    code = "import sys, personalizer.loops; print([name for name in ('numba', 'scipy', 'sklearn') if name in sys.modules])"
    assert run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
