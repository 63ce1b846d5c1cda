import os
from pathlib import Path

import pytest

from baliza.settings import Settings
from loadtests import footprint


def test_the_product_starts_with_nothing_set_but_folder_and_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BALIZA_PARTITIONS", "8")
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "/nowhere")
    given = footprint._environment(Settings(data_dir=Path("/d"), public_port=1, private_port=2))
    ours = {name: value for name, value in given.items() if name.startswith(("BALIZA_", "PROMETHEUS_"))}
    assert ours == {"BALIZA_DATA_DIR": "/d", "BALIZA_PUBLIC_PORT": "1", "BALIZA_PRIVATE_PORT": "2"}
    assert given["PATH"] == os.environ["PATH"]


@pytest.mark.network
@pytest.mark.redis
def test_what_a_visitor_takes_does_not_depend_on_how_many_there_are(tmp_path: Path) -> None:
    few, of_few = footprint.measure_visitors(tmp_path / "few", 500, lambda _text: None)
    many, of_many = footprint.measure_visitors(tmp_path / "many", 5_000, lambda _text: None)
    assert 200 < few.value == pytest.approx(many.value, rel=0.25)
    assert 50 < of_few.value == pytest.approx(of_many.value, rel=0.25)
