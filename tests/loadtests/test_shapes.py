import pytest

from loadtests.shapes import SALE_DAY, SHAPES, shoppers_at


def counts(shape: str) -> list[int | None]:
    return [shoppers_at(shape, second, 100, 200) for second in range(100)]


def test_steady_is_always_the_height() -> None:
    assert set(counts("steady")) == {200}


def test_steps_go_up_evenly_to_the_height() -> None:
    found = counts("step")
    assert [found[second] for second in (0, 19, 20, 45, 70, 99)] == [40, 40, 80, 120, 160, 200]


def test_a_sale_bursts_within_a_few_seconds_and_calms_down() -> None:
    found = [count or 0 for count in counts("sale")]
    assert max(found[:30]) == 30
    assert found[34] == max(found) == 200
    assert found[54] == 200
    assert found[99] < 60
    assert found[74] > found[69], "the second wave"


@pytest.mark.parametrize("shape", list(SHAPES))
def test_every_run_ends_and_nobody_is_ever_less_than_one(shape: str) -> None:
    assert shoppers_at(shape, 100, 100, 200) is None
    assert all(shoppers_at(shape, second, 100, 1) == 1 for second in range(100))


def test_a_steady_run_without_an_end_goes_on() -> None:
    assert shoppers_at("steady", 1e6, float("inf"), 5) == 5


def test_the_sale_covers_the_whole_day_in_order() -> None:
    times = [time for time, _ in SALE_DAY]
    assert (times[0], times[-1]) == (0, 1)
    assert times == sorted(times)
