import os
import platform
from pathlib import Path

import pytest

from loadtests.machine import OtherWork, cores, cpu_model, file_system, label, machine, versions


def test_label_names_the_kind_of_machine() -> None:
    assert label("Intel(R) Core(TM) i7-8550U CPU @ 1.80GHz", 8) == "intel-core-i7-8550u-cpu-1-80ghz-8-cores"
    assert label("AMD EPYC", 1) == "amd-epyc-1-core"


def test_machine_is_described_without_its_name() -> None:
    found = machine()
    assert found["cpu"] == cpu_model() != ""
    assert 1 <= cores() <= (os.cpu_count() or 1)
    assert platform.node() not in " ".join(found.values()).split()


def test_versions_name_what_figures_depend_on() -> None:
    found = versions()
    assert {"python", "valkey", "chdb-core", "gunicorn", "flask", "gevent"} <= set(found)
    assert found["valkey"][0].isdigit()
    assert "not installed" not in found.values()


def test_other_work_is_what_neither_we_nor_our_children_did() -> None:
    cores = os.cpu_count() or 1
    readings = iter([(10.0, 100.0, 5.0), (20.0, 100.0 + 6.0 * cores, 5.0 + 4.0 * cores), (20.0, 101.0, 9.0)])
    others = OtherWork(lambda: next(readings))
    assert others.share() == pytest.approx(0.2)
    assert others.share() == 0


def test_the_machine_has_clocks_for_it() -> None:
    others = OtherWork()
    sum(range(1_000_000))
    assert 0 <= others.share() < 2


def test_knows_the_file_system_of_a_folder(tmp_path: Path) -> None:
    assert file_system(tmp_path) not in ("", "unknown")
