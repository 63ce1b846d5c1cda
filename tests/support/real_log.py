"""The log of a real shop, for tests that are better with one."""

from pathlib import Path

import pytest


def real_log() -> Path:
    """The file, where it lies beside the repository (its licence keeps it out of it); elsewhere the test is skipped."""
    for folder in Path(__file__).resolve().parents:
        if (file := folder / "shared/data/retailrocket-8d/events.csv.gz").exists():
            return file
    pytest.skip("no shared/data/retailrocket-8d/events.csv.gz beside the repository: the real log is not here")
