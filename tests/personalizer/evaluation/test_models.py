"""Fitting by name, and one suite for all models, ours among them."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from loadtests.offers_generate import generated
from personalizer.evaluation.models import MODELS, OURS, evaluated, worth_playing
from personalizer.evaluation.ranker import Ranker
from personalizer.evaluation.scores import scores
from personalizer.evaluation.split import Split
from personalizer.models.next_item import Visit
from tests.personalizer.evaluation.test_baselines import LAMP, NEVER, PHONE, RUG, SESSIONS, asked, behaviour, visit
from tests.personalizer.evaluation.test_scores import TEST, TRAIN
from tests.personalizer.evaluation.test_split import split

pytestmark = pytest.mark.timeout(600)  # where nothing is compiled yet, our model waits for the compiler first


@pytest.mark.parametrize("name", ["last-viewed", "best-sellers", "together", "session-knn"])
def test_fits_and_plays_by_name(name: str, tmp_path: Path) -> None:
    told: list[tuple[str, float]] = []
    found = evaluated(name, split(tmp_path, TRAIN, TEST), lambda step, done: told.append((step, done)))
    assert (found.model, len(found.whole.ranks), len(found.fresh.ranks)) == (name, 4, 3)
    assert found.about["train_sessions"] == 1
    assert told[-1] == (f"{name}: predicting", 1.0)
    assert found.fit_s >= 0


def test_simple_models_can_be_named() -> None:
    assert {"last-viewed", "best-sellers", "recent-best-sellers", "together", "session-knn"} <= MODELS.keys()


def test_what_train_cannot_teach_is_not_played(tmp_path: Path) -> None:
    assert "bought-together" not in worth_playing(split(tmp_path, TRAIN, TEST))
    told = split(tmp_path, "1,a,1,view\n1,a,2,cart\n", "9,a,1,view\n", "SessionId,ItemId,Time,Kind\n")
    assert worth_playing(told) == tuple(MODELS)


def test_ours_learns_and_ranks(tmp_path: Path) -> None:
    train = "".join(
        f"{n},{a},{n}\n{n},{b},{n + 1}\n" for n in range(60) for a, b in [("lamp", "bulb"), ("phone", "case")][n % 2 :][:1]
    )
    found = evaluated(
        OURS, split(tmp_path, train, "x,lamp,99\nx,bulb,100\ny,phone,99\ny,case,100\n"), lambda _step, _done: None
    )
    assert (found.fresh.ranks > 0).all()
    assert (found.fresh.ranks <= 2).all()


ALL = pytest.mark.parametrize("name", list(MODELS))


@cache
def fitted(name: str) -> Ranker:
    """The model of a small shop, learned once."""
    train = behaviour(SESSIONS)
    items = np.array([b"bulb", b"case", b"lamp", b"never", b"phone", b"rug"])
    return MODELS[name](Split(train, train, items, None, int(train.times.max()), 0), lambda _step, _done: None)


@ALL
def test_lists_hold_different_items_of_the_shop(name: str) -> None:
    for items in ([LAMP], [LAMP, LAMP, PHONE], [NEVER], [RUG, PHONE, RUG]):
        found = asked(fitted(name), *items)
        assert len(found) == len(set(found))
        assert set(found) <= set(range(NEVER + 1))


@ALL
def test_a_shorter_list_is_the_beginning_of_a_longer_one(name: str) -> None:
    ranker = fitted(name)
    longer = asked(ranker, LAMP, PHONE, most=5)
    assert asked(ranker, LAMP, PHONE, most=2) == longer[:2]
    assert asked(ranker, LAMP, PHONE, most=0) == []


@ALL
def test_an_empty_visit_gets_an_answer(name: str) -> None:
    ranked = fitted(name).rank(visit(), 20, 2_000)
    assert (ranked.items.dtype, ranked.probability.dtype) == (np.int32, np.float32)


@ALL
def test_the_same_question_has_the_same_answer(name: str) -> None:
    assert asked(fitted(name), LAMP, RUG) == asked(fitted(name), LAMP, RUG)


@ALL
@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("1,a,1\n", "9,a,1\n9,a,2\n"),
        ("1,a,1\n", "9,b,1\n9,c,2\n"),
        ("1,a,1\n2,a,1\n3,a,1\n", "9,a,1\n9,b,2\n9,a,3\n"),
        ("".join(f"{n},{n},5\n" for n in range(40)), "9,1,1\n9,2,2\n"),
        ("".join(f"1,{n % 7},{n}\n" for n in range(700)), "".join(f"9,{n % 5},{n}\n" for n in range(300))),
        ('1,é "x",0\n1,漢,0\n', "9,漢,1e9\n9,漢,1e9\n"),
    ],
    ids=["one click", "nothing known", "one item", "single clicks", "one endless session", "strange names"],
)
def test_odd_logs_can_be_evaluated(name: str, train: str, test: str, tmp_path: Path) -> None:
    found = evaluated(name, split(tmp_path, train, test), lambda _step, _done: None)
    figures = scores(found.whole)
    assert figures["n"] > 0
    assert 0 <= figures["mrr@20"] <= figures["hr@20"] <= 1
    assert np.nanmax(found.whole.probabilities, initial=0) <= 1


@pytest.mark.long
@pytest.mark.timeout(600)
def test_ours_claims_what_comes_true_and_finds_planted_partners() -> None:
    shop = generated(3_000, 200, seed=2)
    model = MODELS[OURS](
        Split(
            shop.behaviour, shop.behaviour, np.arange(200).astype("S3"), shop.category_of, int(shop.behaviour.times.max()), 0
        ),
        lambda _step, _done: None,
    )
    popular = np.argsort(-np.bincount(shop.behaviour.items, minlength=200))[:40]
    found = [shop.partner_of[item] in model.rank(Visit.of([item]), 6, 0).items for item in popular]
    assert np.mean(found) > 0.9
    ranked = model.rank(Visit.of([popular[0]]), 20, 0)
    assert ((ranked.probability >= 0) & (ranked.probability <= 1)).all()
    assert ranked.probability.sum() <= 1.1
