"""Keys: stable names, one slot for what is touched together."""

import re
from collections import Counter

import pytest

from schema import keys


def test_partitions_never_change() -> None:
    assert [keys.partition_of(name, 64) for name in ("v-1", "", "ü", "v" * 100)] == [37, 0, 21, 26]


def test_visitors_spread_over_all_partitions() -> None:
    spread = Counter(keys.partition_of(f"v-{number}", 64) for number in range(6400))
    assert len(spread) == 64
    assert 50 < min(spread.values()) <= max(spread.values()) < 160


@pytest.mark.parametrize(
    "name", ["visitor", "seen", "events", "quarantine", "unstored", "decisions", "carts", "abandoned", "orders", "customer"]
)
def test_every_key_of_a_partition_carries_its_tag_and_is_described(name: str) -> None:
    make = getattr(keys, name)
    names = make.__code__.co_varnames[: make.__code__.co_argcount]
    key = make(17, *(f"<{argument.removesuffix('_id')}>" for argument in names[1:]))
    assert key.startswith("{p17}:")
    assert f"| {key.replace('p17', 'pN')} " in (keys.__doc__ or "")


def test_a_lease_and_what_it_guards_lie_in_one_slot() -> None:
    assert re.findall(r"\{(.*?)\}", keys.manifest(3)) == [keys.lease("ingest-3")]


def test_an_event_hash_tells_site_visitor_and_event_apart() -> None:
    made = {keys.event_hash(*names) for names in [("a", "b", "c"), ("ab", "", "c"), ("a", "bc", ""), ("a", "b", "d")]}
    assert len(made) == 4
    assert all(re.fullmatch(rb"[A-Za-z0-9_-]{11}", name) for name in made)
    assert keys.event_hash("demo", "v-1", "e-1") == b"1NUIDI0kNrk"
