"""Sentences for the sender; the long table of them is in test_malformed.py."""

from decimal import Decimal

import msgspec
import pytest

from schema.events import Batch, Event
from tracker.explain import EXPECTED, SOMETHING, complaint, document_of, explain, shown, unreadable


def test_a_complaint_says_expected_got_and_where() -> None:
    assert complaint("number ≥ 0", '"abc"', "events[3].items[0].price") == (
        'expected number ≥ 0, got "abc" at events[3].items[0].price'
    )
    assert complaint("an object", "[]", "") == "expected an object, got []"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("39.90"), "39.90"),
        ("a\nb", '"a\\nb"'),
        (10**30, "1" + "0" * 30),
        (SOMETHING, "something else"),
        ("x" * 100, '"' + "x" * 59 + "…"),
    ],
)
def test_values_are_shown_as_they_were_written(value: object, text: str) -> None:
    assert shown(value) == text


@pytest.mark.parametrize("raw", [b"{", b"\xff", b"[" * 10_000, b'"\\ud800"', b"1e9999999999999999999999"])
def test_a_document_that_cannot_be_read_is_something(raw: bytes) -> None:
    assert document_of(raw) is SOMETHING


@pytest.mark.parametrize(
    ("raw", "words"),
    [(b"", "nothing"), (b"{", "JSON that breaks off"), (b"{]", "broken JSON: object keys must be strings (byte 1)")],
)
def test_names_what_came_instead(raw: bytes, words: str) -> None:
    with pytest.raises(ValueError) as caught:
        msgspec.json.decode(raw)
    assert unreadable(raw, caught.value) == words


@pytest.mark.parametrize("name", ["x`y", "a - at `$.b", "`", "", "ü\n"])
def test_a_field_of_any_name_is_named(name: str) -> None:
    raw = msgspec.json.encode({name: 1})
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.json.decode(raw, type=Event)
    assert explain(caught.value, raw, "events[0]").startswith("expected ")


def test_every_field_with_words_exists() -> None:
    fields = {*Event.__struct_fields__, *Batch.__struct_fields__}
    assert {name.split("[")[0].split(".")[0] for name in EXPECTED} <= fields
