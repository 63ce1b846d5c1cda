"""How good probabilities are: discrimination, calibration, and the certainty of a difference. Pure; all weighted by moment.

AUC: the chance that a moment before an order is scored above another one, ties half. Log loss and Brier score: as usual.
ECE: mean distance of predicted and observed share over ten bins of equal weight (Guo et al. 2017 with equal-mass bins).
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from personalizer.readiness.told import Bin, Measured

__all__ = ["auc", "bins_of", "difference", "measured"]

BINS: Final = 10
TINY: Final = 1e-12
Floats = NDArray[np.float64]


def measured(bought: Floats, predicted: Floats, weights: Floats) -> Measured:
    """bought 0 or 1, predicted in [0, 1], weights > 0, all of shape (n,) with both outcomes."""
    sure = np.clip(predicted, TINY, 1 - TINY)
    losses = -(bought * np.log(sure) + (1 - bought) * np.log(1 - sure))
    found = bins_of(bought, predicted, weights)
    return Measured(
        auc=auc(bought, predicted, weights),
        log_loss=float(np.average(losses, weights=weights)),
        brier=float(np.average((predicted - bought) ** 2, weights=weights)),
        ece=sum(each.weight * abs(each.predicted - each.bought) for each in found),
        bins=found,
    )


def auc(bought: Floats, predicted: Floats, weights: Floats) -> float:
    """Weighted area under the curve; 0.5 when one of the outcomes does not occur."""
    return _areas(bought, predicted, weights[None, :])[0]


def _areas(bought: Floats, predicted: Floats, weights: Floats) -> list[float]:
    """The area for each row of weights (rows, n), sorted once."""
    _, group = np.unique(predicted, return_inverse=True)
    size = int(group.max()) + 1
    found = []
    for row in weights:
        yes = np.bincount(group, row * bought, size)
        no = np.bincount(group, row * (1 - bought), size)
        pairs = yes.sum() * no.sum()
        below = np.cumsum(no) - no / 2
        found.append(float((yes * below).sum() / pairs) if pairs else 0.5)
    return found


def difference(
    bought: Floats, one: Floats, other: Floats, weights: Floats, groups: NDArray[np.uint32], *, seed: int, rounds: int = 200
) -> tuple[float, float]:
    """95 % interval of AUC(one) − AUC(other): percentiles of a bootstrap that draws whole groups (visitors) again."""
    rng = np.random.default_rng(seed)
    _, group = np.unique(groups, return_inverse=True)
    size = int(group.max()) + 1
    drawn = np.stack([np.bincount(rng.integers(0, size, size), minlength=size)[group] * weights for _ in range(rounds)])
    gaps = np.array(_areas(bought, one, drawn)) - np.array(_areas(bought, other, drawn))
    low, high = np.quantile(gaps, [0.025, 0.975])
    return float(low), float(high)


def bins_of(bought: Floats, predicted: Floats, weights: Floats) -> list[Bin]:
    """Ten bins of equal weight by predicted probability, lowest first; equal predictions stay together."""
    order = np.argsort(predicted, kind="stable")
    bought, predicted, weights = bought[order], predicted[order], weights[order]
    # A prediction belongs where the middle of its like lies.
    _, first, count = np.unique(predicted, return_index=True, return_counts=True)
    reached = np.concatenate(([0.0], np.cumsum(weights)))
    middle = (reached[first] + reached[first + count]) / 2 / reached[-1]
    place = np.repeat(np.minimum(BINS - 1, (middle * BINS).astype(int)), count)
    return [_bin(bought[place == n], predicted[place == n], weights[place == n], reached[-1]) for n in np.unique(place)]


def _bin(bought: Floats, predicted: Floats, weights: Floats, total: float) -> Bin:
    mean = float(np.average(bought, weights=weights))
    # Moments of a session tell much the same, and together they weigh 1: as many tell as they weigh.
    low, high = _wilson(mean, float(weights.sum()))
    return Bin(float(weights.sum() / total), float(np.average(predicted, weights=weights)), mean, low, high)


def _wilson(share: float, n: float) -> tuple[float, float]:
    z = 1.96
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * (share * (1 - share) / n + z * z / (4 * n * n)) ** 0.5
    return max(0.0, middle - half), min(1.0, middle + half)
