"""When a model serves and when the rules stay."""

import numpy as np
import pytest

from baliza.readiness.model import FORMAT, ReadinessFile, ReadinessModel
from personalizer.readiness import learning
from personalizer.readiness.learning import judge, learn
from personalizer.readiness.snapshots import Moments
from tests.personalizer.readiness.shoppers import moments


@pytest.fixture(scope="module")
def seen() -> Moments:
    return moments(1600, wanting=0.4)


def learned(found: Moments) -> ReadinessFile:
    return learn(found, {"data": {}}, site="demo", version="1", trained_at="2026-11-22T08:00:00+00:00")


def test_a_model_that_is_surely_better_serves(seen: Moments) -> None:
    file = learned(seen)
    assert (file.basis, file.format, file.site) == ("model", FORMAT, "demo")
    model, rules = file.about["model"], file.about["rules"]
    assert model["auc"] > rules["auc"] + 0.02
    assert file.about["auc_gain"][0] > 0
    assert model["ece"] < 0.03
    assert ReadinessModel.of_file(file) is not None


def test_too_few_orders_keep_the_rules(seen: Moments) -> None:
    file = learned(seen.taken(np.arange(len(seen)) < 600))
    assert (file.basis, file.model) == ("rules", None)
    assert "200 sessions with an order" in file.why
    assert learned(Moments.none()).basis == "rules"


def test_a_model_that_is_no_better_keeps_the_rules() -> None:
    # Nothing that these visitors do says anything but what is in their carts, which the rules know.
    unknown = moments(1500, telling=False, wanting=0.3, seed=3)
    shuffled = np.random.default_rng(1).permutation(len(unknown))
    by_chance = Moments(
        unknown.features, unknown.bought[shuffled], unknown.weights, unknown.began_s, unknown.sessions, unknown.visitors
    )
    file = learned(by_chance)
    assert (file.basis, file.model) == ("rules", None)
    assert "not surely better" in file.why
    assert file.about["auc_gain"][0] <= 0


def test_orders_that_all_came_early_cannot_be_measured(seen: Moments) -> None:
    late = seen.began_s > np.quantile(seen.began_s, 0.7)
    file = learned(seen.taken(~(late & (seen.bought > 0))))
    assert file.basis == "rules"
    assert "last fifth" in file.why


def test_nobody_is_scored_by_a_model_that_knows_them_or_the_future(seen: Moments, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each fit notes whom and when it saw; what it is asked about is neither."""
    first = np.quantile(seen.began_s, 0.6)
    features = seen.features.copy()
    features[:, -2:] = np.column_stack([seen.began_s, seen.visitors])  # in place of what these tests do not need
    marked = Moments(features, seen.bought, seen.weights, seen.began_s, seen.sessions, seen.visitors)
    asked_about: list[float] = []

    class Spy:
        def __init__(self, features: np.ndarray, *_: object) -> None:
            self.latest, self.known = features[:, -2].max(), set(features[:, -1])

        def log_odds(self, features: np.ndarray) -> np.ndarray:
            assert self.latest < first <= features[:, -2].min()
            assert not self.known & set(features[:, -1])
            asked_about.extend(features[:, -2])
            return features[:, 0]

    monkeypatch.setattr(learning, "LEARNERS", {"spy": Spy})
    monkeypatch.setattr(learning, "rules_of", lambda features: features[:, 0] / 100)
    assert judge(marked) is not None
    assert len(asked_about) == int((seen.began_s >= first).sum())


@pytest.mark.long
def test_calibration_comes_true_on_later_visits() -> None:
    judged = judge(moments(20_000, seed=9))
    assert judged is not None
    for each in judged.model.bins:
        assert each.low - 0.03 <= each.predicted <= each.high + 0.03
