"""From moments to a readiness file: fit, choose, calibrate, measure, and say whether the model may serve. No I/O.

Nothing is judged on what it saw: by the beginning of their sessions the moments are cut 60 / 20 / 20. Models are fitted on
the first part, for three groups of visitors each without that group, so that no later visit of anybody is scored by a model
that knows this visitor; the second part chooses the kind of model and calibrates it; the third measures it, once.
What serves is then fitted on everything and calibrated on the later two parts' scores.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from baliza.readiness.features import Features
from baliza.readiness.model import FORMAT, Bins, Calibration, ReadinessFile, Trees, scored
from baliza.readiness.rules import PURPOSES, purpose_of, purposes, rules_probability
from personalizer.readiness.learners import LEARNERS, Learned, calibration
from personalizer.readiness.measures import difference, measured
from personalizer.readiness.snapshots import Moments
from personalizer.readiness.told import Measured, PurposeShare

__all__ = ["FEWEST_BUYERS", "Judged", "calibrated", "judge", "learn", "rules_of", "told_of"]

FEWEST_BUYERS: Final = 200
FEWEST_TESTED: Final = 25
GROUPS: Final = 3
CUTS: Final = (0.6, 0.8)
EQUAL_WITHIN: Final = 1e-6
SEED: Final = 1
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Judged:
    """A kind of model on later data. scores (n,): log odds of the moments after the first part; later: which those are."""

    kind: str
    moments: int
    buyers: int
    model: Measured
    rules: Measured
    gap: tuple[float, float]  # 95 % interval of the AUC's gain over the rules'
    others: dict[str, float]  # log loss by kind on the second part, lower is better
    purposes: dict[str, PurposeShare]
    scores: Floats
    later: NDArray[np.bool_]

    @property
    def better(self) -> bool:
        """Whether the model ranks surely better than the rules, and its probabilities are no worse."""
        return self.gap[0] > 0 and self.model.log_loss < self.rules.log_loss


def learn(moments: Moments, about: Mapping[str, Any], *, site: str, version: str, trained_at: str) -> ReadinessFile:
    """The file to write, with a model or with the reason why there is none. about: what it is learned from."""

    def rules_stay(why: str, found: Mapping[str, Any]) -> ReadinessFile:
        names = list(Features._fields)
        return ReadinessFile(FORMAT, version, site, trained_at, "rules", why, names, about={**about, **found})

    if moments.buyers() < FEWEST_BUYERS:
        return rules_stay(f"a model needs {FEWEST_BUYERS} sessions with an order that something came before", {})
    judged = judge(moments)
    if judged is None:
        return rules_stay(
            f"the last fifth of the time has fewer than {FEWEST_TESTED} sessions with an order to measure by", {}
        )
    found = told_of(judged)
    if not judged.better:
        return rules_stay("the model learned is not surely better than the rules on later visits", found)
    fitted = LEARNERS[judged.kind](moments.features, moments.bought, moments.weights)
    model = fitted.exported()
    _check(model, fitted, moments.features)
    curve = _curve(judged, moments)
    why = "its AUC on later visits is surely above that of the rules"
    return ReadinessFile(
        FORMAT, version, site, trained_at, "model", why, list(Features._fields), model, curve, {**about, **found}
    )


def judge(moments: Moments) -> Judged | None:
    """Choose a kind and measure it on later visits; None when they are too few to tell."""
    first, second = np.quantile(moments.began_s, CUTS)
    early, third = moments.began_s < first, moments.began_s >= second
    later = ~early
    middle = later & ~third
    tested = moments.taken(third)
    if min(tested.buyers(), moments.taken(middle).buyers()) < FEWEST_TESTED or moments.taken(early).buyers() < GROUPS:
        return None
    scores = {kind: _out_of_fold(fit, moments, early, later) for kind, fit in LEARNERS.items()}
    among = middle[later]
    chosen_on = moments.taken(middle)
    losses = {kind: _log_loss(chosen_on, scored_as[among]) for kind, scored_as in scores.items()}
    kind = min(losses, key=lambda each: losses[each])
    curve = calibration(scores[kind][among], chosen_on.bought, chosen_on.weights, chosen_on.buyers())
    predicted = calibrated(curve, scores[kind][third[later]])
    by_rules = rules_of(tested.features)
    return Judged(
        kind=kind,
        moments=len(tested),
        buyers=tested.buyers(),
        model=measured(tested.bought, predicted, tested.weights),
        rules=measured(tested.bought, by_rules, tested.weights),
        gap=difference(tested.bought, predicted, by_rules, tested.weights, tested.visitors, seed=SEED),
        others=losses,
        purposes=_by_purpose(tested, predicted),
        scores=scores[kind],
        later=later,
    )


def _by_purpose(moments: Moments, predicted: Floats) -> dict[str, PurposeShare]:
    seen = [Features(*row) for row in moments.features.tolist()]
    told = np.array([purpose_of(each, purposes(each, said)) for each, said in zip(seen, predicted.tolist(), strict=True)])
    total = moments.weights.sum()
    found: dict[str, PurposeShare] = {}
    for name in PURPOSES:
        weights = moments.weights * (told == name)
        bought = float(weights @ moments.bought / weights.sum()) if weights.any() else 0.0
        found[name] = PurposeShare(float(weights.sum() / total), bought)
    return found


def rules_of(features: Floats) -> Floats:
    """What the rules say of each moment, shape (n,)."""
    return np.array([rules_probability(Features(*row)) for row in features.tolist()], np.float64)


def calibrated(curve: Calibration, log_odds: Floats) -> Floats:
    """The curve at each point."""
    return np.array([curve(value) for value in log_odds.tolist()], np.float64)


def _out_of_fold(
    fit: Callable[[Floats, Floats, Floats], Learned], moments: Moments, early: NDArray[np.bool_], later: NDArray[np.bool_]
) -> Floats:
    """Log odds of the later moments by models of the early ones that do not know the visitor."""
    group = moments.visitors % GROUPS
    found = np.zeros(len(moments), np.float64)
    for number in range(GROUPS):
        known = moments.taken(early & (group != number))
        asked = later & (group == number)
        if asked.any():
            found[asked] = fit(known.features, known.bought, known.weights).log_odds(moments.features[asked])
    return found[later]


def _log_loss(moments: Moments, log_odds: Floats) -> float:
    signs = np.where(moments.bought > 0, log_odds, -log_odds)
    return float(np.average(np.logaddexp(0, -signs), weights=moments.weights))


def _curve(judged: Judged, moments: Moments) -> Calibration:
    later = moments.taken(judged.later)
    return calibration(judged.scores, later.bought, later.weights, later.buyers())


def _check(model: Trees | Bins, fitted: Learned, features: Floats) -> None:
    """What is written must say what scikit-learn says; else a new version of it changed its inside."""
    sample = features[:: max(1, len(features) // 500)]
    ours = scored(model)
    worst = np.abs(np.array([ours(tuple(row)) for row in sample.tolist()]) - fitted.log_odds(sample)).max()
    if worst > EQUAL_WITHIN:
        raise ValueError(f"the exported readiness model differs from scikit-learn's by {worst:.2g}")


def told_of(judged: Judged) -> dict[str, Any]:
    """What was measured, as it is written down and printed."""
    return {
        "kind": judged.kind,
        "tested": {"moments": judged.moments, "sessions_with_order": judged.buyers},
        "model": msgspec.to_builtins(judged.model),
        "rules": msgspec.to_builtins(judged.rules),
        "auc_gain": list(judged.gap),
        "log_loss_by_kind": judged.others,
        "purposes": msgspec.to_builtins(judged.purposes),
    }
