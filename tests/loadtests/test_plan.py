"""The plans of docs/scaling.md are what the arithmetic says, and the arithmetic keeps the rules that the page gives."""

import re
from dataclasses import fields, replace
from pathlib import Path

import pytest

from loadtests.plan import (
    HUGE,
    LARGE,
    MEASURED,
    Assumed,
    assumptions,
    masters,
    measured_table,
    parts,
    shards,
    table,
    words_of_assumptions,
)

PAGE = (Path(__file__).parents[2] / "docs" / "scaling.md").read_text()


@pytest.mark.parametrize("given", [LARGE, HUGE])
def test_the_page_has_the_tables_of_today(given: Assumed) -> None:
    assert f"{assumptions(given)}\n\n{table(given)}\n" in PAGE


def test_the_page_says_what_was_measured_and_assumed() -> None:
    assert measured_table() in PAGE
    assert words_of_assumptions() in PAGE
    for field in fields(MEASURED):
        assert f"{getattr(MEASURED, field.name):,}" in measured_table()


@pytest.mark.parametrize("given", [LARGE, HUGE])
def test_the_plans_keep_their_own_rules(given: Assumed) -> None:
    found = {part.name: part for part in parts(given)}
    assert given.partitions % shards(given) == 0
    assert found["ingest workers"].count % shards(given) == 0
    assert found["ingest workers"].count <= given.partitions
    assert found["live store, masters"].memory / masters(given) <= given.memory_each
    assert given.peak * MEASURED.master_us / 1e6 / masters(given) <= given.busy
    assert given.partitions >= 8 * masters(given)


def test_more_of_anything_costs_more() -> None:
    def cost(given: Assumed) -> float:
        return sum(part.cost(given) for part in parts(given))

    more = [replace(LARGE, peak=20_000), replace(LARGE, visitors=6e8), replace(LARGE, days=800), replace(LARGE, replicas=3)]
    assert all(cost(given) > cost(LARGE) for given in more)


def test_no_link_of_the_page_leads_nowhere() -> None:
    anchors = {
        re.sub(r"[^a-z0-9 -]", "", line.lower()).strip().replace(" ", "-") for line in re.findall(r"^#+ (.*)$", PAGE, re.M)
    }
    assert set(re.findall(r"\]\(#([a-z0-9-]+)\)", PAGE)) <= anchors
