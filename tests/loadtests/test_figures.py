import pytest

from loadtests.figures import median_of, percentile, rounded, table


def test_percentile_by_hand() -> None:
    values = [float(value) for value in range(10, 0, -1)]
    assert [percentile(values, share) for share in (0, 0.1, 0.5, 0.9, 0.91, 1)] == [1, 1, 5, 9, 10, 10]


def test_percentile_of_one_value_is_that_value() -> None:
    assert percentile([7.0], 0.99) == 7.0


@pytest.mark.parametrize(("values", "share"), [([], 0.5), ([1.0], 1.5), ([1.0], -0.1)])
def test_percentile_refuses_what_has_none(values: list[float], share: float) -> None:
    with pytest.raises(ValueError, match="expected values and a share"):
        percentile(values, share)


def test_median_keeps_its_rounds() -> None:
    figure = median_of("collector", "one event", (5.0, 1.0, 2.0), "µs")
    assert (figure.value, figure.rounds) == (2.0, (5.0, 1.0, 2.0))


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0"), (0.001234, "0.00123"), (1.0, "1.00"), (9.499, "9.50"), (48.94, "48.9"), (464.4, "464"), (20_613, "20,600")],
)
def test_shows_three_significant_digits(value: float, shown: str) -> None:
    assert rounded(value) == shown


def test_table_aligns_and_escapes() -> None:
    text = table(("what", "figure"), [("a|b", "1")], right=(1,))
    assert text == "| what | figure |\n| --- | ---: |\n| a\\|b | 1 |\n"
