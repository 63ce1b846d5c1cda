"""`python -m tests.fuzz.run decode --seconds 600`: a coverage-guided fuzzer on one target, from our seeds.

Ends with status 0 when the time is over, else with the finding on standard error and its bytes in a file that it names.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import atheris

FOLDER = Path(__file__).parent
LONGEST = {"decode": 4096, "connection": 2048, "feed": 4096}


def main() -> None:
    """Blocks for so many seconds."""
    parser = argparse.ArgumentParser()
    parser.add_argument("target", choices=sorted(LONGEST))
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--found", type=Path, help="folder for what was found", default=Path(tempfile.gettempdir()))
    given = parser.parse_args()
    with atheris.instrument_imports(include=["tracker", "schema", "personalizer.catalogue"]):
        from tests.fuzz.targets import TARGETS
    with tempfile.TemporaryDirectory() as grown:
        options = [
            f"-max_total_time={given.seconds}",
            f"-max_len={LONGEST[given.target]}",
            "-timeout=20",
            "-rss_limit_mb=2048",
        ]
        places = [f"-artifact_prefix={given.found}/", f"-dict={FOLDER / 'dictionaries' / given.target}", grown]
        atheris.Setup([sys.argv[0], *options, *places, str(FOLDER / "seeds" / given.target)], TARGETS[given.target])
        atheris.Fuzz()


if __name__ == "__main__":
    main()
