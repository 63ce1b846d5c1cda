"""When a new model is refused."""

import numpy as np
import pytest

from personalizer.learning.gate import MIN_SESSIONS, Trial, refusal, shrunk


def trial(ranks: np.ndarray, guesses_per_session: int = 4) -> Trial:
    return Trial(np.arange(len(ranks), dtype=np.int64) // guesses_per_session, ranks)


def drawn(mean_hits: float, sessions: int, seed: int) -> Trial:
    rng = np.random.default_rng(seed)
    return trial((rng.random(sessions * 4) < mean_hits) / rng.integers(1, 21, sessions * 4))


def test_refuses_what_is_clearly_worse_and_says_by_how_much() -> None:
    old = drawn(0.6, 500, 1)
    new = trial(old.reciprocal_ranks * (np.arange(2000) % 3 > 0))
    said = refusal(new, old)
    assert said == f"MRR@20 on the last day is {new.mrr:.3f} and was {old.mrr:.3f} (2000 guesses in 500 sessions)"


@pytest.mark.parametrize("seed", range(20))
def test_lets_one_pass_that_is_as_good(seed: int) -> None:
    assert refusal(drawn(0.5, 300, seed), drawn(0.5, 300, seed + 1000)) == ""


def test_lets_one_pass_that_is_better() -> None:
    assert refusal(drawn(0.7, 500, 2), drawn(0.4, 500, 3)) == ""


def test_a_small_loss_is_no_reason_however_certain() -> None:
    old = trial(np.full(8000, 0.5))
    assert refusal(trial(np.full(8000, 0.49)), old) == ""


def test_few_sessions_prove_nothing() -> None:
    old = trial(np.full(4 * (MIN_SESSIONS - 1), 0.5))
    assert refusal(trial(old.reciprocal_ranks * 0), old) == ""
    enough = trial(np.full(4 * MIN_SESSIONS, 0.5))
    assert refusal(trial(enough.reciprocal_ranks * 0), enough) != ""


def test_many_guesses_of_few_sessions_are_few_witnesses() -> None:
    rng = np.random.default_rng(5)
    sessions = np.repeat(np.arange(40), 50)
    old = Trial(sessions, np.repeat(rng.random(40), 50))
    new = Trial(sessions, np.repeat(rng.random(40) * 0.9, 50))
    assert refusal(new, old) == ""  # guess by guess it would look certain


def test_a_model_that_foresaw_nothing_can_only_be_replaced() -> None:
    nothing = trial(np.zeros(400))
    assert refusal(nothing, nothing) == ""


def test_figures_are_what_they_say() -> None:
    assert trial(np.array([1, 0.5, 0, 0, 0.25, 0, 0, 0.25])).figures() == {
        "guesses": 8, "sessions": 2, "hr@20": 0.5, "mrr@20": 0.25,
    }  # fmt: skip
    assert trial(np.zeros(0)).figures() == {"guesses": 0, "sessions": 0, "hr@20": 0.0, "mrr@20": 0.0}


@pytest.mark.parametrize(("new", "old", "refused"), [(500, 1000, False), (499, 1000, True), (5, 0, False), (2000, 1, False)])
def test_half_a_history_is_no_history(new: int, old: int, refused: bool) -> None:
    assert bool(shrunk(new, old)) == refused
