"""Whole boxes and undisturbed ones, each in a folder of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.reliability.box import Box
from tests.reliability.services import Services
from tests.reliability.truth import Undisturbed


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    """`baliza up`, not started yet."""
    made = Box(tmp_path / "box")
    made.folder.mkdir()
    yield made
    made.end()


@pytest.fixture
def undisturbed(tmp_path: Path) -> Iterator[Undisturbed]:
    """Stores and code of a box to which nothing happens."""
    made = Undisturbed(tmp_path / "undisturbed")
    yield made
    made.close()


@pytest.fixture(scope="package")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    made = Services(tmp_path_factory.mktemp("services"))
    try:
        made.start_ingest()
        made.wait_until_ready()
        yield made
    finally:
        made.close()


@pytest.fixture
def services(running: Services) -> Services:
    """Collector, personalizer and ingest, running and well; their history is empty. Who breaks them mends them."""
    running.until_nothing_waits()
    running.forget()
    return running
