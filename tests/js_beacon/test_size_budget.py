"""What the scripts may weigh, that they are what their source builds, and that the source is sound."""

import gzip
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from js_beacon import PARTS, script_path

FOLDER = script_path().parent.parent
# Bytes of `gzip -9`.
BUDGET = {"b.js": 3500, "offers.js": 2000, "guess.js": 1000}
HOW_TO_GET_NODE = (
    "the beacon's source needs Node 20 and `npm ci` in js_beacon to be tested; the built scripts are tested without"
)
DOCS = [FOLDER.parent / "README.md", FOLDER.parent / "docs" / "beacon.md"]


def weigh(script: bytes) -> int:
    return len(gzip.compress(script, compresslevel=9))


@pytest.mark.parametrize("part", PARTS)
def test_weighs_no_more_than_it_may(part: str) -> None:
    assert weigh(script_path(part).read_bytes()) <= BUDGET[part]


def test_the_budget_would_notice() -> None:
    assert weigh(os.urandom(4000)) > 3500


@pytest.mark.parametrize("page", DOCS, ids=lambda page: page.name)
def test_pages_say_what_the_scripts_weigh(page: Path) -> None:
    text = page.read_text(encoding="utf-8").replace("*", "")
    for part in PARTS:
        script = script_path(part).read_bytes()
        row = rf"`{re.escape(part)}`[^|]*\| {weigh(script):,} \| {len(script):,} \|"
        assert re.search(row, text), f"{page.name} should give {part} {weigh(script):,} bytes gzip, {len(script):,} bytes"


@pytest.mark.parametrize("part", PARTS)
def test_needs_nothing_that_a_strict_policy_forbids(part: str) -> None:
    script = script_path(part).read_text(encoding="utf-8")
    assert not any(word in script for word in ("eval(", "new Function", "innerHTML=", "document.write", "outerHTML"))


@pytest.fixture(scope="module")
def node() -> str:
    found = shutil.which("node")
    if found and (FOLDER / "node_modules").is_dir():
        return found
    if os.environ.get("CI") == "true":
        pytest.fail(HOW_TO_GET_NODE)
    pytest.skip(HOW_TO_GET_NODE)


def run(node: str, *arguments: str) -> None:
    done = subprocess.run([node, *arguments], cwd=FOLDER, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


def test_built_scripts_are_what_the_source_builds(node: str) -> None:
    run(node, "build.mjs", "--check")


def test_source_is_typed(node: str) -> None:
    run(node, "node_modules/typescript/bin/tsc", "--project", "tsconfig.json")


def test_modules_pass_their_own_tests(node: str) -> None:
    run(node, "--test", str(Path(__file__).parent / "unit"))


def test_the_lock_names_no_registry() -> None:
    assert "http" not in (FOLDER / "package-lock.json").read_text(encoding="utf-8").replace("https://opencollective", "")
