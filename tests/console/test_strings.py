"""The words of the console."""

import re
from pathlib import Path

import pytest

import console
from console.strings import ENGLISH, counted, text

FOLDER = Path(console.__file__).parent
TEMPLATES = sorted(FOLDER.glob("templates/*.html"))


def test_one_is_not_many() -> None:
    assert [counted("sessions", n) for n in (0, 1, 1200)] == ["0 sessions", "1 session", "1,200 sessions"]


def test_unknown_name_is_an_error() -> None:
    with pytest.raises(KeyError):
        text("no.such.name")


@pytest.mark.parametrize("file", TEMPLATES, ids=lambda file: file.name)
def test_templates_use_names_that_exist(file: Path) -> None:
    used = re.findall(r"\bt\('([a-z0-9_.]+)'[,)]", file.read_text())
    assert [name for name in used if name not in ENGLISH] == []


@pytest.mark.parametrize("file", TEMPLATES, ids=lambda file: file.name)
def test_templates_say_nothing_of_their_own(file: Path) -> None:
    bare = re.sub(
        r"\{% block body_class %\}\w+|\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\}|<pre>.*?</pre>|<[^>]*>",
        "",
        file.read_text(),
        flags=re.S,
    )
    assert re.findall(r"[A-Za-z]{2,}", bare) == []


def test_every_name_is_used() -> None:
    source = "\n".join(file.read_text() for file in [*TEMPLATES, *FOLDER.glob("*.py")] if file.name != "strings.py")
    built = (
        "event.",
        "count.",
        "outcome.",
        "purpose.",
        "story.",
        "period.",
        "chart.",
        "table.",
        "receipts.",
        "months",
        "days",
    )
    unused = [name for name in ENGLISH if not name.startswith(built) and f"{name}" not in source]
    assert unused == []
