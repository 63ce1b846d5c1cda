"""The rules of the house, held by a test: which way imports go, how long things may be, and that every module is tested."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# What each top-level package may import of the others.
MAY_IMPORT = {
    "schema": set[str](),
    "js_beacon": set[str](),
    "baliza": {"schema"},
    "tracker": {"schema", "baliza", "js_beacon"},
    "personalizer": {"schema", "baliza"},
    "console": {"schema", "baliza", "tracker", "personalizer"},
    "demo": {"schema", "baliza"},
}
# Pure modules decide; they know no store, no socket, no clock and no file.
PURE = (
    "schema/events.py", "schema/keys.py", "schema/profile.py", "tracker/beacon.py", "tracker/checks.py",
    "tracker/explain.py", "tracker/observe.py", "tracker/collect.py", "tracker/pixel.py", "tracker/request.py",
    "tracker/rows.py", "tracker/batches.py",
    "tracker/quick.py", "tracker/heads.py", "tracker/profiles.py", "baliza/traffic.py", "personalizer/offers/decision.py",
    "personalizer/offers/eligibility.py", "personalizer/offers/ranking.py", "personalizer/offers/merging.py",
    "personalizer/offers/exploration.py",
    "personalizer/offers/placements.py", "personalizer/offers/insight.py", "personalizer/offers/answer.py",
    "personalizer/offers/asking.py", "personalizer/offers/strings.py", "personalizer/learning/gate.py",
    "personalizer/carts/cart.py", "personalizer/offers/situation.py", "console/filters.py", "console/charts.py",
    "baliza/readiness/features.py", "baliza/readiness/rules.py", "baliza/readiness/model.py", "baliza/readiness/assess.py",
    "personalizer/feedback/record.py", "personalizer/feedback/responses.py",
    "personalizer/feedback/position.py", "personalizer/feedback/rates.py", "personalizer/feedback/learn.py",
    "baliza/embedded/native_protocol.py", "baliza/embedded/statements.py",
)  # fmt: skip
IMPURE = {"redis", "clickhouse_driver", "socket", "flask", "httpx", "time", "os", "subprocess", "threading", "random"}
MAX_FUNCTION_LINES, MAX_FILE_LINES = 60, 450


def modules() -> list[Path]:
    return sorted(file for package in MAY_IMPORT for file in (ROOT / package).rglob("*.py"))


def imported(tree: ast.AST) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module)
    return names


def name(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("file", modules(), ids=name)
def test_imports_go_one_way(file: Path) -> None:
    package = file.relative_to(ROOT).parts[0]
    ours = {found.partition(".")[0] for found in imported(ast.parse(file.read_text()))} & MAY_IMPORT.keys()
    assert ours - {package} <= MAY_IMPORT[package]


@pytest.mark.parametrize("file", PURE)
def test_what_decides_does_no_io(file: str) -> None:
    roots = {found.partition(".")[0] for found in imported(ast.parse((ROOT / file).read_text()))}
    assert roots & IMPURE == set()


@pytest.mark.parametrize("file", modules(), ids=name)
def test_files_and_functions_stay_small(file: Path) -> None:
    text = file.read_text()
    assert len(text.splitlines()) <= MAX_FILE_LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= MAX_FUNCTION_LINES, f"{name(file)}: {node.name} has {length} lines"


@pytest.mark.parametrize("file", [file for file in modules() if file.name != "__init__.py"], ids=name)
def test_every_module_has_a_test_file_of_its_name(file: Path) -> None:
    relative = file.relative_to(ROOT)
    expected = ROOT / "tests" / relative.parent / f"test_{relative.name}"
    assert expected.exists(), f"expected {name(expected)}"


@pytest.mark.parametrize("file", modules(), ids=name)
def test_every_public_thing_says_what_it_is(file: Path) -> None:
    tree = ast.parse(file.read_text())
    assert file.read_text() == "" or ast.get_docstring(tree), f"{name(file)} needs a docstring"
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            length = (node.end_lineno or 0) - node.lineno
            # A helper of a few lines whose name and types say all needs no sentence that repeats them.
            assert length <= 6 or ast.get_docstring(node), f"{name(file)}: {node.name} needs a docstring"
