"""What was measured is written and read without NumPy."""

import subprocess
import sys

import msgspec

from personalizer.readiness.told import Bin, Measured


def test_comes_back_as_it_was_written() -> None:
    told = Measured(0.8, 0.1, 0.02, 0.01, [Bin(0.5, 0.1, 0.1, 0.05, 0.15)])
    assert msgspec.json.decode(msgspec.json.encode(told), type=Measured) == told


def test_a_report_needs_no_numpy() -> None:
    told = "import sys, console.readiness; print({'numpy', 'sklearn'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", told], text=True).strip() == "set()"
