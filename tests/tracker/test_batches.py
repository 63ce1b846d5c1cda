"""Which entries make a batch, and by which token it counts once."""

import pytest

from tracker.batches import Manifest, age_s, plan, share

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


def test_the_age_is_that_of_the_oldest() -> None:
    assert age_s(ENTRIES, 2_900) == 2.0
    assert age_s(ENTRIES, 0) == 0.0
    assert age_s({0: []}, 5_000) == 0.0
