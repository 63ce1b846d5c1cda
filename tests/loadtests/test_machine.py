import os
import platform

from loadtests.machine import cores, cpu_model, label, machine, versions


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
