"""How the ranker tunes itself."""

import numpy as np
import pytest

from personalizer.models.behaviour import Behaviour
from personalizer.models.next_item.base import build_base
from personalizer.models.next_item.compiled import warm
from personalizer.models.next_item.evidence import Knobs
from personalizer.models.next_item.examples import Examples, moments
from personalizer.models.next_item.features import FEATURES
from personalizer.models.next_item.fitting import FOLDS, Part, found_places, grown, learn, lessons, tuned
from tests.personalizer.models.next_item.test_index import behaviour


def chains(sessions: int, seed: int) -> Behaviour:
    """Sessions that walk up a chain of thirty items, now and then from a popular one that leads nowhere."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(sessions):
        begin = int(rng.integers(0, 26))
        made.append([30, *range(begin, begin + 4)] if rng.random() < 0.3 else list(range(begin, begin + 4)))
    return behaviour(*made)


def silent(_step: str, _done: float) -> None:
    pass


@pytest.fixture(autouse=True, scope="module")
def _compiled() -> None:
    warm()


def test_too_few_sessions_leave_the_defaults() -> None:
    found = learn(chains(30, 1), 31, None, 1, silent)
    assert found.knobs == Knobs()
    assert len(found.trees.leaves) == 0
    assert found.about["ranked_by"] == "blend"


def test_tuning_finds_that_nobody_looks_twice() -> None:
    known, asked = chains(200, 1), chains(50, 2)
    part = Part(build_base(known, 31, None, 1), asked, moments(asked))
    assert tuned(part).seen_last < Knobs().seen_last


def test_a_small_log_teaches_by_folds_and_its_newer_half_once_more_with_what_was_before() -> None:
    asked: list[tuple[Behaviour, Behaviour]] = []

    def part(known: Behaviour, behaviour: Behaviour, _most: int) -> Part:
        asked.append((known, behaviour))
        return Part(nothing, behaviour, moments(behaviour))

    log = chains(200, 4)
    nothing = build_base(chains(0, 1), 31, None, 1)
    assert len(list(lessons(log, part, seed=1))) == 2 * FOLDS
    folds, blocks = asked[:FOLDS], asked[FOLDS:]
    assert sum(len(behaviour) for _, behaviour in folds) == 200
    assert all(len(known) + len(behaviour) == 200 for known, behaviour in folds)
    assert sum(len(behaviour) for _, behaviour in blocks) == 100
    assert all(known.ended.max() < behaviour.times.min() for known, behaviour in blocks)


def test_trees_are_used_where_they_rank_better_and_the_meta_says_how_well() -> None:
    steps: list[float] = []
    found = learn(chains(600, 3), 31, None, 1, lambda _step, done: steps.append(done))
    about = found.about
    assert steps == sorted(steps)
    assert about["ranked_by"] == ("trees" if len(found.trees.leaves) else "blend")
    assert about["trees"]["mrr@20"] > 0.7
    assert (about["ranked_by"] == "trees") == (sum(about["trees"].values()) > sum(about["blend"].values()))
    assert 0 <= about["calibration_error"] < 0.05
    assert found.calibration.sound()


def test_places_are_by_score_and_ties_by_the_blend() -> None:
    sizes = np.array([3, 0, 2], np.int32)
    seen = Examples(np.zeros((5, len(FEATURES)), np.float32), np.array([0, 1, 0, 0, 0], np.uint8), sizes)
    assert found_places(np.array([1, 2, 3, 0, 0], np.float32), seen)[0] == 1
    assert found_places(np.array([2, 2, 2, 0, 0], np.float32), seen)[0] == 1
    assert (found_places(np.array([1, 2, 3, 0, 0], np.float32), seen)[1:] > 10**6).all()


def test_without_examples_there_are_no_trees() -> None:
    nothing = Examples(np.zeros((0, len(FEATURES)), np.float32), np.zeros(0, np.uint8), np.zeros(0, np.int32))
    assert len(grown(nothing, 1).leaves) == 0
