"""From scores to honest probabilities: of all candidates that are given p, the share p is indeed next. Pure."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from personalizer.models.next_item.compiled import inner, still, type_of

__all__ = [
    "Calibration",
    "calibrate",
    "calibration_type",
    "expected_error",
    "probabilities",
    "to_probabilities",
    "uncalibrated",
]

MOST_KNOTS: Final = 64
BINS: Final = 15


class Calibration(NamedTuple):
    """A candidate's part among all and nothing of them: e^(score × sharpness) / (e^none + sum of all such), then corrected.

    sharpness, none: of the scores. knots, values: float32 (k,), the correction by straight lines between points; none for
    a part taken as it is. tail: float, the most that a place behind the ranked candidates is worth.
    """

    sharpness: float
    none: float
    tail: float
    knots: NDArray[np.float32]
    values: NDArray[np.float32]

    def sound(self) -> bool:
        """True when it gives probabilities that rise with the score."""
        return bool(
            self.knots.shape == self.values.shape
            and self.knots.ndim == 1
            and np.isfinite([self.sharpness, self.none, self.tail]).all()
            and self.sharpness > 0
            and 0 <= self.tail <= 1
            and (np.diff(self.knots) > 0).all()
            and (np.diff(self.values) >= 0).all()
            and ((self.values >= 0) & (self.values <= 1)).all()
        )


def uncalibrated() -> Calibration:
    """Parts as they are, one in e being nothing of them."""
    empty = still(np.zeros(0, np.float32))
    return Calibration(1.0, 0.0, 0.001, empty, empty)


def calibration_type() -> object:
    return type_of(uncalibrated())


def calibrate(scores: NDArray[np.float32], was_next: NDArray[np.uint8], sizes: NDArray[np.int32]) -> Calibration:
    """Fitted to the candidates of many moments, at many of which what came next was no candidate.

    scores, was_next: of shape (n,). sizes: int32 (moments,). sharpness and none have the highest likelihood; the correction
    is the isotonic one of the parts.
    """
    from sklearn.isotonic import IsotonicRegression  # serving has no use for it

    if not was_next.any():
        return uncalibrated()
    raw = _likeliest(scores, was_next, sizes)
    parts = probabilities(raw, scores, sizes)
    isotonic = IsotonicRegression(y_min=0.0, y_max=1.0).fit(parts, was_next)
    knots = _knots(isotonic.X_thresholds_, isotonic.y_thresholds_)
    return raw._replace(knots=still(knots[0], np.float32), values=still(knots[1], np.float32))


def _likeliest(scores: NDArray[np.float32], was_next: NDArray[np.uint8], sizes: NDArray[np.int32]) -> Calibration:
    from scipy.optimize import minimize

    held = sizes > 0
    starts = np.concatenate(([0], np.cumsum(sizes[held])))[:-1]
    hit = np.add.reduceat(was_next, starts) > 0
    lost = int((~hit).sum())

    def unlikely(free: NDArray[np.float64]) -> float:
        logits = scores.astype(np.float64) * np.exp(free[0])
        total = np.logaddexp(np.logaddexp.reduceat(logits, starts), free[1])
        return float(total.sum() - logits[was_next > 0].sum() - lost * free[1]) / len(starts)

    best = minimize(unlikely, np.array([0.0, float(scores.max())]), method="Nelder-Mead", options={"maxiter": 80})
    return uncalibrated()._replace(sharpness=float(np.exp(best.x[0])), none=float(best.x[1]))


def _knots(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """At most MOST_KNOTS of the points, spread over their values, as rising float32."""
    if len(x) > MOST_KNOTS:
        chosen = np.unique(np.searchsorted(x, np.quantile(x, np.linspace(0, 1, MOST_KNOTS // 2))).tolist()
                           + np.linspace(0, len(x) - 1, MOST_KNOTS // 2).astype(int).tolist())  # fmt: skip
        x, y = x[chosen], y[chosen]
    knots, first = np.unique(x.astype(np.float32), return_index=True)
    return knots, np.maximum.accumulate(y[first].astype(np.float32))


def probabilities(calibration: Calibration, scores: NDArray[np.float32], sizes: NDArray[np.int32]) -> NDArray[np.float64]:
    """The probability of each candidate of moments with so many candidates; float64, of the scores' shape."""
    held = sizes[sizes > 0]
    starts = np.concatenate(([0], np.cumsum(held)))[:-1]
    logits = scores.astype(np.float64) * calibration.sharpness
    total = np.logaddexp(np.logaddexp.reduceat(logits, starts), calibration.none)
    parts = np.exp(logits - np.repeat(total, held))
    return np.asarray(
        np.interp(parts, calibration.knots, calibration.values) if len(calibration.knots) else parts, np.float64
    )


def expected_error(predicted: NDArray[np.float64], was_next: NDArray[np.uint8]) -> float:
    """Expected calibration error (Naeini 2015): mean of |share that was next - mean prediction| over bins of like size."""
    if not len(predicted):
        return 0.0
    parts = np.array_split(np.argsort(predicted, kind="stable"), BINS)
    return float(
        sum(abs(was_next[part].mean() - predicted[part].mean()) * len(part) for part in parts if len(part)) / len(predicted)
    )


@inner
def to_probabilities(calibration, scores, size):  # type: ignore[no-untyped-def]
    """Scores, float32 (size,), best first, become probabilities in place."""
    top = max(scores[0] * calibration.sharpness, calibration.none)
    total = np.exp(calibration.none - top)
    for place in range(size):
        total += np.exp(scores[place] * calibration.sharpness - top)
    for place in range(size):
        part = np.exp(scores[place] * calibration.sharpness - top) / total
        scores[place] = _corrected(calibration, part)


@inner
def _corrected(calibration, part):  # type: ignore[no-untyped-def]
    knots, values = calibration.knots, calibration.values
    if len(knots) == 0:
        return part
    if part <= knots[0]:
        return values[0]
    if part >= knots[-1]:
        return values[-1]
    above = np.searchsorted(knots, part)
    low, high = knots[above - 1], knots[above]
    return values[above - 1] + (values[above] - values[above - 1]) * (part - low) / (high - low)
