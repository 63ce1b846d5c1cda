"""Answers that are kept for next time."""

from personalizer.kept import Kept


def test_what_is_kept_is_there_next_time() -> None:
    kept = Kept[str, int](2)
    assert kept.get("a") is None
    assert kept.keep("a", 1) == 1
    assert kept.get("a") == 1


def test_there_is_never_more_than_told() -> None:
    kept = Kept[int, int](3)
    for number in range(10):
        kept.keep(number, number)
        assert len(kept) <= 3
        assert kept[number] == number
