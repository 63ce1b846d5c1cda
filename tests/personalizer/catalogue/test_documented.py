"""docs/catalogue.md: its examples are taken, and its table has all attributes."""

import io
import re
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from personalizer.catalogue.feeds import opened, rows_of, sniffed
from personalizer.catalogue.item import CatalogueItem, merged_item
from personalizer.catalogue.rows import ATTRIBUTES, OTHERS, checked_row

DOCUMENT = (Path(__file__).parents[3] / "docs" / "catalogue.md").read_text()
EXAMPLES = re.findall(r"```(\w+)\n(.*?)```", DOCUMENT, re.DOTALL)


@pytest.mark.parametrize(("kind", "text"), EXAMPLES, ids=[kind for kind, _ in EXAMPLES])
def test_every_example_is_taken(kind: str, text: str) -> None:
    stream = opened(io.BytesIO(text.encode()), 1_000_000)
    seen = sniffed(stream)
    assert seen == {"xml": "google-xml"}.get(kind, kind)
    rows = [checked_row(row.values, ZoneInfo("UTC")) for row in rows_of(stream, seen)]
    assert rows
    assert all(merged_item(None, row.said) != CatalogueItem() for row in rows)


def test_there_is_an_example_of_every_format() -> None:
    assert [kind for kind, _ in EXAMPLES] == ["xml", "csv", "jsonl", "json"]


def test_the_table_has_every_attribute_and_no_other() -> None:
    documented = re.findall(r"^\| `(\w+)` \| `", DOCUMENT, re.MULTILINE)
    assert sorted(documented) == sorted({*ATTRIBUTES, *OTHERS})


def test_every_example_of_an_attribute_is_taken() -> None:
    for name, example in re.findall(r"^\| `(\w+)` \| `([^`]+)`", DOCUMENT, re.MULTILINE):
        row = {"id": "A", "price": "1299.00 EUR", name: example}
        checked_row(row | ({"sale_price": "1.00 EUR"} if name == "sale_price_effective_date" else {}), ZoneInfo("UTC"))
