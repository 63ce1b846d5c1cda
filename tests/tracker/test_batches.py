"""Which entries make a batch, and by which token it counts once."""

import pytest

from tracker.batches import Manifest, age_s, fitting, plan, share, together

ENTRIES = {
    3: [(b"1000-0", {}), (b"1500-2", {})],
    1: [(b"900-7", {})],
    2: [],
}


def test_a_batch_is_the_ranges_of_what_was_read() -> None:
    assert plan(ENTRIES) == Manifest({3: ("1000-0", "1500-2"), 1: ("900-7", "900-7")})
    assert plan({0: [], 1: []}) is None
    assert plan({}) is None


def test_the_token_is_that_of_the_ranges_in_any_order() -> None:
    one, same = Manifest({1: ("1-0", "2-0"), 12: ("3-0", "4-0")}), Manifest({12: ("3-0", "4-0"), 1: ("1-0", "2-0")})
    assert one.token == same.token
    assert (
        len({one.token, Manifest({1: ("1-0", "2-1"), 12: ("3-0", "4-0")}).token, Manifest({1: ("1-0", "2-0")}).token}) == 3
    )


def test_a_manifest_is_read_as_it_was_written() -> None:
    manifest = plan(ENTRIES)
    assert manifest is not None
    assert Manifest.decoded(manifest.encoded()) == manifest
    assert Manifest.decoded(manifest.encoded()).token == manifest.token


@pytest.mark.parametrize(("partitions", "workers"), [(64, 1), (64, 3), (8, 8), (4, 6)])
def test_every_partition_belongs_to_one_worker(partitions: int, workers: int) -> None:
    shares = [share(partitions, workers, worker) for worker in range(workers)]
    assert sorted(partition for mine in shares for partition in mine) == list(range(partitions))


def test_partitions_are_read_together_as_far_as_that_is_not_too_much() -> None:
    waiting = {0: 0, 1: 3, 2: 5, 3: 90, 4: 2, 5: 4, 6: 0}
    assert list(together(waiting, each=10, most=12)) == [[1, 2], [3, 4], [5]]
    assert list(together(waiting, each=100, most=12)) == [[1, 2], [3], [4, 5]]
    assert list(together({0: 0, 1: 0}, each=10, most=12)) == []


def test_an_insert_takes_the_first_entries_up_to_its_size_and_always_one() -> None:
    entries = [(b"1-0", {b"b": b"xxxx"}), (b"2-0", {b"b": b"xx", b"c": b"xx"}), (b"3-0", {b"b": b"x"})]
    assert fitting(entries, 100) == (entries, 9)
    assert fitting(entries, 5) == (entries[:2], 8)
    assert fitting(entries, 1) == (entries[:1], 4)
    assert fitting([], 1) == ([], 0)


def test_the_age_is_that_of_the_oldest() -> None:
    assert age_s(ENTRIES, 2_900) == 2.0
    assert age_s(ENTRIES, 0) == 0.0
    assert age_s({0: []}, 5_000) == 0.0
