from pathlib import Path

from personalizer.catalogue.spool import IN_MEMORY, Record, Spool


def test_gives_records_back_by_partition_in_their_order_and_again() -> None:
    with Spool(8) as spool:
        spool.put(3, 1, "a", {"name": "A", "placements": ("x",), "consumable": None})
        spool.put(5, 2, "b", None)
        spool.put(3, 3, "c", {})
        for _ in range(2):
            found = dict(spool.partitions())
            assert found.keys() == set(range(8))
            assert found[3] == [
                Record(3, 1, "a", {"name": "A", "placements": ["x"], "consumable": None}),
                Record(3, 3, "c", {}),
            ]
            assert found[5] == [Record(5, 2, "b", None)]
            assert not any(found[other] for other in (0, 1, 2, 4, 6, 7))


def test_opens_few_files_for_many_partitions_and_mixes_none_up() -> None:
    with Spool(4096) as spool:
        for partition in range(4096):
            spool.put(partition, partition, str(partition), {})
        assert len(spool._files) == 64
        found = dict(spool.partitions())
    assert sorted(found) == list(range(4096))
    assert all([record.line for record in records] == [partition] for partition, records in found.items())


def test_what_does_not_fit_goes_to_the_folder(tmp_path: Path) -> None:
    with Spool(1, tmp_path) as spool:
        for number in range(2 * IN_MEMORY // 1000):
            spool.put(0, number, "a", {"name": "x" * 1000})
        ((_, records),) = spool.partitions()
        assert len(records) == 2 * IN_MEMORY // 1000
    assert list(tmp_path.iterdir()) == []
