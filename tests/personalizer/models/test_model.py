"""Names, ragged rows and facts as arrays."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from personalizer.models.model import UNKNOWN, ByteColumn, Ragged, find, places_or_beyond, sorted_names
from tests.personalizer.planted import ITEMS, planted_model


def test_finds_each_name_at_its_place() -> None:
    names = sorted_names(["b", "ä", "a", "bb"])
    assert find(names, ["a", "b", "bb", "ä"]) == [0, 1, 2, 3]


@pytest.mark.parametrize("wanted", ["", "aa", "zzz", "b" * 200, "ö"])
def test_answers_unknown_for_a_name_that_is_not_there(wanted: str) -> None:
    assert find(sorted_names(["b", "ä", "a", "bb"]), ["b", wanted]) == [1, UNKNOWN]


def test_a_name_longer_than_all_costs_no_copy_of_them() -> None:
    names = sorted_names([f"i{number:05}" for number in range(20_000)])
    tracemalloc.start()
    try:
        assert find(names, ["i00007", "i00007" * 60, "i0000799"]) == [7, UNKNOWN, UNKNOWN]
        assert tracemalloc.get_traced_memory()[1] < 50_000
    finally:
        tracemalloc.stop()


def test_finds_nothing_among_no_names() -> None:
    assert find(sorted_names([]), ["a"]) == [UNKNOWN]
    assert len(sorted_names([])) == 0


def test_bytes_of_any_length_come_back() -> None:
    values = [b"", b"abc", b"\0", "é".encode()]
    column = ByteColumn.of(values)
    assert [column[number] for number in range(4)] == values


def test_facts_carry_exact_money() -> None:
    model = planted_model()
    facts = model.facts(model.find_items(["lamp"])[0])
    assert (facts.item_id, facts.title, str(facts.price)) == ("lamp", "Lamp", "39.90")


def test_an_item_without_a_name_shows_its_id() -> None:
    facts = planted_model().facts(0)
    assert type(facts)("x-1", "", "", None, "", "", "").title == "x-1"


def test_arrays_make_the_same_model_again() -> None:
    model = planted_model()
    assert model.sound()
    again = type(model).of_arrays(model.arrays(), "v2")
    assert again.version == "v2"
    assert [again.facts(n).item_id for n in range(len(again))] == ITEMS
    assert again.bought.row(2)[0].tolist() == model.bought.row(2)[0].tolist()


def test_an_item_out_of_range_is_not_sound() -> None:
    model = planted_model()
    items = model.bought.items.copy()
    items[0] = len(model)
    assert not replace(model, bought=Ragged(model.bought.starts, items, model.bought.scores)).sound()


def test_starts_that_go_back_are_not_sound() -> None:
    model = planted_model()
    starts = model.viewed.starts.copy()
    starts[1] = starts[-1] + 1
    assert not replace(model, viewed=Ragged(starts, model.viewed.items, model.viewed.scores)).sound()


def test_a_category_out_of_range_is_not_sound() -> None:
    model = planted_model()
    assert not replace(model, category_of=np.full(len(model), 99, np.int32)).sound()


def test_names_that_are_not_there_are_numbered_from_the_end_on() -> None:
    names = np.array([b"bulb", b"lamp"])
    assert places_or_beyond(names, np.array([b"zebra", b"lamp", b"apple", b"bulb"])).tolist() == [2, 1, 3, 0]
    assert places_or_beyond(names[:0], np.array([b"lamp"])).tolist() == [0]
