import re

from js_beacon import script_path

MAX_SOURCE_BYTES = 10_000


def test_script_path_names_the_script() -> None:
    assert script_path().name == "b.js"
    assert "use strict" in script_path().read_text(encoding="utf-8")


def test_script_stays_small() -> None:
    code = re.sub(r"(?m)\s*(?<!:)//.*$|^\s+", "", script_path().read_text(encoding="utf-8"))
    assert len(code.encode()) < MAX_SOURCE_BYTES, "without comments and indentation"
