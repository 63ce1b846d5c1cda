import math

import numpy as np
import pytest

from personalizer.feedback.responses import (
    BINS,
    MAX_RANK,
    PRIOR_RATE,
    Responses,
    bin_of,
    prior_curve,
    prior_examination,
)

NAN = math.nan


def learned() -> Responses:
    """Two placements, two sources, three items; the last row and column are for others."""
    return Responses(
        placements=np.array([b"cart", b"home"]),
        sources=np.array([b"sellers", b"together"]),
        rates=np.array([[0.01, 0.05, 0.02], [0.02, 0.04, 0.03], [0.02, 0.03, 0.02]], np.float32),
        conversion=np.array([[0.1, 0.2, 0.15], [0.1, 0.2, 0.1], [0.1, 0.2, 0.1]], np.float32),
        curve=np.stack([prior_curve(), np.ones(BINS + 1, np.float32), prior_curve()]),
        examination=np.stack([prior_examination(), np.ones(MAX_RANK, np.float32), prior_examination()]),
        factor=np.array([1.0, 2.0, 0.5], np.float32),
    )


def ask(responses: Responses, placement: str, sources: object, items: list[int], p_next: list[float]) -> list[float]:
    found = responses.p_response(placement, sources, np.array(items, np.int32), np.array(p_next, np.float32))  # type: ignore[arg-type]
    assert found.dtype == np.float32
    return [round(float(each), 5) for each in found]


def test_rate_curve_and_factor_multiply() -> None:
    assert ask(learned(), "home", "together", [0, 1, 2], [0.5, 0.1, NAN]) == [0.04, 0.08, 0.02]


def test_each_offer_has_its_own_source() -> None:
    assert ask(learned(), "home", ["sellers", "together", "new"], [0, 0, 0], [NAN] * 3) == [0.02, 0.04, 0.03]


def test_names_and_items_that_were_never_met_have_the_rates_of_others() -> None:
    assert ask(learned(), "footer", "new", [-1, 0], [NAN, NAN]) == [0.02, 0.02]
    assert ask(learned(), "homepage", "sell", [0], [NAN]) == [0.02]


def test_answers_are_probabilities_whatever_the_model_says() -> None:
    found = ask(learned(), "cart", "together", [1, 1, 1, 1], [1.0, 0.001, 7.0, -1.0])
    assert all(0 < each <= 1 for each in found)
    assert found[0] > found[1]


def test_before_there_is_data_the_likelier_item_is_likelier_to_be_clicked() -> None:
    found = ask(Responses.prior(3), "home", "together", [0, 1, 2], [0.005, 0.02, 0.08])
    assert found[0] < found[1] < found[2]
    assert found[1] == pytest.approx(PRIOR_RATE, rel=0.05)
    assert found[2] / found[0] == pytest.approx(4, rel=0.05)


def test_the_first_is_looked_at_most() -> None:
    assert Responses.prior(1).examined("home", 4).tolist() == pytest.approx([1.0, 0.631, 0.5, 0.431], abs=0.001)
    assert learned().examined("cart", 60).shape == (60,)


def test_conversion_is_by_placement_and_source() -> None:
    assert learned().p_conversion("cart", "together") == pytest.approx(0.2)
    assert learned().p_conversion("cart", ["together", "else"]).tolist() == pytest.approx([0.2, 0.15])


def test_no_candidates_give_no_answers() -> None:
    assert ask(learned(), "cart", [], [], []) == []


def test_comes_back_from_its_arrays() -> None:
    found = Responses.of_arrays({**learned().arrays(), "item_ids": np.zeros(3)})
    assert found is not None
    assert found.sound(3)
    assert all((found.arrays()[name] == array).all() for name, array in learned().arrays().items())


def test_a_model_of_before_has_none() -> None:
    assert Responses.of_arrays({"item_ids": np.zeros(3)}) is None
    assert Responses.prior(3).sound(3)


def test_half_of_it_is_refused() -> None:
    arrays = learned().arrays()
    del arrays["responses.curve"]
    with pytest.raises(KeyError):
        Responses.of_arrays(arrays)


@pytest.mark.parametrize(
    ("name", "value"),
    [("factor", np.ones(2, np.float32)), ("rates", np.zeros((3, 3), np.float32)), ("curve", np.full((3, BINS + 1), NAN))],
)
def test_what_does_not_fit_is_not_sound(name: str, value: np.ndarray) -> None:
    assert learned().sound(3)
    found = Responses.of_arrays(learned().arrays() | {f"responses.{name}": value})
    assert found is not None
    assert not found.sound(3)


def test_bins_are_half_octaves() -> None:
    found = bin_of(np.array([1.0, 0.8, 0.6, 0.5, 0.4, 0.0, 2.0**-14, 2.0**-13.4, NAN]))
    assert found.tolist() == [27, 27, 26, 26, 25, 0, 0, 1, 28]
