"""What was measured of a predictor, as it is written into readiness files and read by reports. Needs no NumPy."""

from msgspec import Struct

__all__ = ["Bin", "Measured", "PurposeShare"]


class Bin(Struct, frozen=True):
    """Moments of like readiness. weight: their share of all; predicted, bought: means; low, high: 95 % of it (Wilson)."""

    weight: float
    predicted: float
    bought: float
    low: float
    high: float


class Measured(Struct, frozen=True):
    """The measures of one predictor on the same moments; see personalizer.readiness.measures."""

    auc: float
    log_loss: float
    brier: float
    ece: float
    bins: list[Bin]


class PurposeShare(Struct, frozen=True):
    """Of all moments the share with this purpose, and the share of those before an order."""

    share: float
    bought: float
