"""Compiled functions are ready when asked, from the cache, and never compile by themselves."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from personalizer.models.next_item import compiled
from personalizer.models.next_item.compiled import array_of, entry, inner, still, warm


@inner
def _twice(number):  # type: ignore[no-untyped-def]
    return 2 * number


@entry(lambda: (array_of("i4"), array_of("f4", changed=True)))
def _double(numbers, results):  # type: ignore[no-untyped-def]
    for at in range(len(numbers)):
        results[at] = _twice(numbers[at])


def test_after_warming_nothing_is_compiled_any_more() -> None:
    warm()
    assert compiled.compiled()
    results = np.zeros(2, np.float32)
    _double(still(np.array([1, 4], np.int32)), results)
    assert results.tolist() == [2, 8]
    with pytest.raises(TypeError):
        _double(still(np.array([1.5])), results)
    assert warm() < 0.1


def test_an_array_held_still_cannot_be_written_to() -> None:
    array = np.array([[1, 2], [3, 4]]).T
    view = still(array, np.float32)
    assert view.flags.c_contiguous
    with pytest.raises(ValueError, match="read-only"):
        view[0, 0] = 5
    array[0, 0] = 7  # the one it was made of stays as it was


PROGRAM = """
import sys
from pathlib import Path
from numba import types
from personalizer.models.next_item import compiled
compiled._entries.clear()
sys.path.insert(0, str(Path(sys.argv[2]).parent))
import shop_code
compiled.keep_in(Path(sys.argv[1]))
compiled.warm()
print(shop_code.add_one(41), sum(shop_code.add_one.stats.cache_hits.values()))
"""
CODE = """
from numba import types
from personalizer.models.next_item.compiled import entry

@entry(lambda: (types.int64,))
def add_one(number):
    return number + 1
"""


def test_the_next_process_loads_what_the_first_compiled(tmp_path: Path) -> None:
    (tmp_path / "shop_code.py").write_text(CODE)
    asked = [sys.executable, "-c", PROGRAM, str(tmp_path / "kept"), str(tmp_path / "shop_code.py")]
    answers = [
        subprocess.run(asked, capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": str(Path.cwd())})
        for _ in range(2)
    ]
    assert [answer.stdout.split() for answer in answers] == [["42", "0"], ["42", "1"]]


def test_a_folder_that_cannot_be_written_to_is_no_reason_not_to_serve(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    assert compiled._usable(tmp_path / "file" / "kept") is None
    assert "cannot be kept" in caplog.text


@pytest.mark.parametrize(("writable", "chosen"), [(True, "beside"), (False, "data")])
def test_compiled_code_lies_beside_the_source_where_that_can_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writable: bool, chosen: str
) -> None:
    monkeypatch.setitem(compiled._kept, "folder", tmp_path / "beside")
    monkeypatch.setattr(os, "access", lambda folder, mode: writable)  # root may write everywhere
    compiled.keep_at_hand(tmp_path / "data")
    assert compiled._kept["folder"].name == chosen


def test_what_is_kept_goes_by_all_that_is_compiled_in(tmp_path: Path) -> None:
    package = tmp_path / "shop"
    (package / "part").mkdir(parents=True)
    (package / "kernel.py").write_text(
        "from shop.part.numbers import MOST\nfrom shop.part import other\n@entry\ndef f(): ...\n"
    )
    (package / "part" / "numbers.py").write_text("MOST = 3\n")
    (package / "elsewhere.py").write_text("from shop.part.numbers import MOST\n")
    assert compiled._sources(package) == {package / "kernel.py", package / "part" / "numbers.py"}


def test_numbers_of_offers_and_visits_are_compiled_in() -> None:
    names = {file.name for file in compiled._sources(Path(compiled.__file__).parents[2])}
    assert {"merging.py", "ranking.py", "responses.py", "visit.py", "compiled.py"} <= names
