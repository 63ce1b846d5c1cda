"""What is known of how visitors answer offers: as plain arrays that are saved with the model and read by ranking. Pure.

    P(response | shown, placement, source, item, p_next) = rate(placement, source) · curve(placement, p_next) · factor(item)

for an offer that is looked at as the first of its list is. How much less the later ones are looked at is `examination`: the
position-based model of clicks, P(click at rank k) = examination(k) · P(response) (Richardson, Dominowska, Ragno 2007;
Craswell, Zoeter, Taylor, Ramsey 2008). A response is a click.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "BINS",
    "CENTRES",
    "LEAST_P",
    "MAX_RANK",
    "PRIOR_CONVERSION",
    "PRIOR_RATE",
    "Responses",
    "bin_of",
    "prior_curve",
    "prior_examination",
]

Names = NDArray[np.bytes_]
Floats = NDArray[np.float32]
Arrays = Mapping[str, NDArray[np.generic]]

PREFIX: Final = "responses."
MAX_RANK: Final = 50  # as long as a list may be; what lies further down is looked at as this one is
# Of 100 offers that were seen, two are clicked; of 50 clicks, one ends in a purchase: strips of shops have 1 to 5 % of both.
PRIOR_RATE: Final = 0.02
PRIOR_CONVERSION: Final = 0.02
# Half octaves of the model's probability, from 2^-14 to 1; and one more bin for offers of sources that have none.
BINS: Final = 28
LOWEST_LOG2: Final = -14.0
# An offer of this probability has the plain rate of its source; others by the root of how much more likely they are:
# half-way between not believing the model's probability (power 0) and believing that offers are answered like it (1).
TYPICAL_P: Final = 0.02
PRIOR_POWER: Final = 0.5
LEAST_P: Final = 1e-9
CENTRES: Final = LOWEST_LOG2 + (np.arange(BINS) + 0.5) / 2


def bin_of(p_next: NDArray[np.floating]) -> NDArray[np.int64]:
    """The bin of each probability, of the same shape; BINS where it is not known (nan)."""
    log2 = np.log2(np.clip(np.nan_to_num(p_next, nan=1.0), LEAST_P, 1.0))
    bins = np.clip(np.floor((log2 - LOWEST_LOG2) * 2), 0, BINS - 1).astype(np.int64)
    return np.where(np.isnan(p_next), BINS, bins)


def prior_curve() -> Floats:
    """What is assumed before there is data, of shape (BINS + 1,)."""
    known = np.exp2(PRIOR_POWER * (CENTRES - np.log2(TYPICAL_P)))
    return np.append(known, 1.0).astype(np.float32)


def prior_examination() -> Floats:
    """1 / log2(rank + 1), of shape (MAX_RANK,): 1, 0.63, 0.5, 0.43 …; the discount of DCG (Järvelin, Kekäläinen 2002)."""
    return (1 / np.log2(np.arange(2, MAX_RANK + 2))).astype(np.float32)


@dataclass(frozen=True)
class Responses:
    """What was learned. The last row, and the last column of sources, is for names that were never met.

    placements, sources: sorted. rates, conversion: (placements + 1, sources + 1); conversion: P(bought | clicked).
    curve: (placements + 1, BINS + 1). examination: (placements + 1, MAX_RANK), 1 for the first. factor: (items,), usually 1.
    """

    placements: Names
    sources: Names
    rates: Floats
    conversion: Floats
    curve: Floats
    examination: Floats
    factor: Floats

    @classmethod
    def prior(cls, n_items: int) -> "Responses":
        """What is assumed when nothing has been shown yet."""
        return cls(
            placements=np.zeros(0, "S1"),
            sources=np.zeros(0, "S1"),
            rates=np.full((1, 1), PRIOR_RATE, np.float32),
            conversion=np.full((1, 1), PRIOR_CONVERSION, np.float32),
            curve=prior_curve()[None, :],
            examination=prior_examination()[None, :],
            factor=np.ones(n_items, np.float32),
        )

    def p_response(
        self, placement: str, sources: str | Sequence[str], items: NDArray[np.int32], p_next: NDArray[np.floating]
    ) -> Floats:
        """P(response | shown as the first) of each of n offers, in (0, 1], of shape (n,).

        sources: one for all, or n of them. items: numbers of the model, negative for those it does not know. p_next: the
        model's calibrated probabilities, nan where a source has none. Some 35 µs for a hundred.
        """
        row = self.row(placement)
        factor = np.where(items >= 0, self.factor[items], 1) if len(self.factor) else 1.0
        found = self.rates[row, self._columns(sources)] * self._curve(row, p_next) * factor
        return np.asarray(np.minimum(np.maximum(found, LEAST_P), 1.0), np.float32)

    def p_conversion(self, placement: str, sources: str | Sequence[str]) -> Floats:
        """P(bought within the attribution window | clicked), of shape () for one source, (n,) for n of them."""
        found: Floats = self.conversion[self.row(placement), self._columns(sources)]
        return found

    def examined(self, placement: str, ranks: int) -> Floats:
        """How much each rank from 1 to `ranks` is looked at, against the first, of shape (ranks,)."""
        curve: Floats = self.examination[self.row(placement), np.minimum(np.arange(ranks), MAX_RANK - 1)]
        return curve

    def row(self, placement: str) -> int:
        """The row of a placement in `rates`, `conversion`, `curve` and `examination`."""
        return _place(self.placements, placement)

    def _columns(self, sources: str | Sequence[str]) -> int | NDArray[np.intp]:
        if isinstance(sources, str):
            return _place(self.sources, sources)
        known = {source: _place(self.sources, source) for source in set(sources)}
        return np.fromiter((known[source] for source in sources), np.intp, len(sources))

    def _curve(self, row: int, p_next: NDArray[np.floating]) -> NDArray[np.float64]:
        curve = self.curve[row]
        found = np.interp(np.log2(np.maximum(p_next, LEAST_P)), CENTRES, curve[:BINS])
        return np.asarray(np.where(np.isnan(found), curve[BINS], found), np.float64)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """All arrays by name, as the model's store writes them."""
        return {PREFIX + entry.name: getattr(self, entry.name) for entry in fields(self)}

    @classmethod
    def of_arrays(cls, arrays: Arrays) -> "Responses | None":
        """What arrays() gave; None from a model that has none of it. KeyError when a part is missing."""
        if not any(name.startswith(PREFIX) for name in arrays):
            return None
        return cls(**{entry.name: arrays[PREFIX + entry.name] for entry in fields(cls)})  # type: ignore[arg-type]

    def sound(self, n_items: int) -> bool:
        """True when the parts fit together and every number is one that ranking can reckon with."""
        rows, columns = len(self.placements) + 1, len(self.sources) + 1
        return bool(
            self.rates.shape == self.conversion.shape == (rows, columns)
            and self.curve.shape == (rows, BINS + 1)
            and self.examination.shape == (rows, MAX_RANK)
            and self.factor.shape == (n_items,)
            and all(
                np.isfinite(part).all() and (part > 0).all()
                for part in (self.rates, self.conversion, self.curve, self.examination, self.factor)
            )
        )


def _place(names: Names, name: str) -> int:
    """The place of a name among sorted ones, their number when it is not there."""
    wanted = np.bytes_(name.encode())
    place = int(names.searchsorted(wanted))
    return place if place < len(names) and names[place] == wanted else len(names)
