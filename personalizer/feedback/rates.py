"""How likely offers are to be answered once they are looked at: by placement and source, by probability, by item. Pure.

E[clicks] = looked at · rate(placement, source) · curve(placement, bin) · factor(item), each part fitted in turn with the
others held. Counts are taken as Poisson, whose mean is fitted right whatever the counts' distribution is (Gourieroux,
Monfort, Trognon 1984); every part has a Gamma prior, so with few clicks it stays near its parent: (clicks + k) / (expected +
k / parent). That is empirical Bayes as of DuMouchel (1999); how much items differ is learned too, by the likelihood of their
counts.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from scipy.special import gammaln
from sklearn.isotonic import isotonic_regression

from personalizer.feedback.position import Floats, Ints, added
from personalizer.feedback.responses import BINS, PRIOR_RATE, prior_curve

__all__ = ["LookedAt", "Rates", "fit", "spread_of_items", "two_way"]

# Clicks that weigh as much as a parent: the assumed rate, a placement or source among all, a bin among the assumed curve,
# a placement's bin among all placements'.
RATE_CLICKS: Final = 2.0
CELL_CLICKS: Final = 5.0
BIN_CLICKS: Final = 10.0
OWN_BIN_CLICKS: Final = 30.0
# Of items' clicks; the more, the less items differ. The likelihood chooses among these.
SPREADS: Final = tuple(2.0**power for power in range(-2, 13))
ROUNDS: Final = 60
CLOSE: Final = 1e-4


@dataclass(frozen=True)
class LookedAt:
    """Offers shown, as many as if all had stood first, and their clicks; all of shape (n,). Numbers as of position.Shown."""

    placement: Ints
    source: Ints
    bin: Ints
    item: Ints
    looked_at: Floats
    clicked: Floats


@dataclass(frozen=True)
class Rates:
    """rates: (placements + 1, sources + 1). curve: (placements + 1, BINS + 1). factor: (items,).

    spread: so many clicks weigh as much as being an item like others.
    """

    rates: Floats
    curve: Floats
    factor: Floats
    spread: float


def fit(seen: LookedAt, placements: int, usual: Floats, n_items: int) -> Rates:
    """Fit all parts. usual: what is assumed of each source's rate, of shape (sources,). Seconds for a million rows."""
    shape = (placements, len(usual))
    # Against what is assumed of them all sources are alike.
    seen = _added_up(replace(seen, looked_at=seen.looked_at * (usual / PRIOR_RATE)[seen.source]))
    rates = two_way(np.zeros(shape), np.zeros(shape), PRIOR_RATE)
    curve = np.tile(prior_curve().astype(np.float64), (placements + 1, 1))
    factor, spread = np.ones(n_items + 1), SPREADS[-1]
    item = np.where(seen.item >= 0, seen.item, n_items)  # the last is of unknown items, and stays 1
    for round_ in range(ROUNDS):
        before = rates
        base = seen.looked_at * factor[item]
        rates = _rates(seen, base * curve[seen.placement, seen.bin], shape)
        curve = _curves(seen, base * rates[seen.placement, seen.source], placements)
        expected = seen.looked_at * rates[seen.placement, seen.source] * curve[seen.placement, seen.bin]
        clicks, due = added(item, seen.clicked, n_items + 1)[:-1], added(item, expected, n_items + 1)[:-1]
        if round_ % 10 == 2:
            spread = spread_of_items(clicks, due)
        factor[:-1] = (clicks + spread) / (due + spread)
        if round_ > 12 and np.abs(np.log(rates / before)).max() < CLOSE:
            break
    rates[:, :-1] *= usual / PRIOR_RATE
    return Rates(rates, curve, factor[:-1], spread)


def _added_up(seen: LookedAt) -> LookedAt:
    """Rows that differ in nothing as one: ranks do not matter any more."""
    columns = np.stack([seen.placement, seen.source, seen.bin, seen.item])
    span = columns.max(axis=1, initial=0) + 2
    code = np.ravel_multi_index(tuple(columns + 1), tuple(span))
    codes, row = np.unique(code, return_inverse=True)
    placement, source, bin_, item = (part - 1 for part in np.unravel_index(codes, tuple(span)))
    size = len(codes)
    return LookedAt(placement, source, bin_, item, added(row, seen.looked_at, size), added(row, seen.clicked, size))


def two_way(clicks: Floats, expected: Floats, prior: float) -> Floats:
    """Rates clicks / expected of a table of shape (rows, columns), drawn to the rate of the row times the column's effect.

    Answers shape (rows + 1, columns + 1); the last row and column are what is assumed of those that were never met.
    """
    overall = (clicks.sum() + RATE_CLICKS) / (expected.sum() + RATE_CLICKS / prior)
    of_row = _shrunk(clicks.sum(1), expected.sum(1), overall, CELL_CLICKS)
    effect = _shrunk(clicks.sum(0), (expected * of_row[:, None]).sum(0), 1.0, CELL_CLICKS)
    inner = _shrunk(clicks, expected, np.outer(of_row, effect), CELL_CLICKS)
    return np.block([[inner, of_row[:, None]], [overall * effect[None, :], np.full((1, 1), overall)]])


def _shrunk(clicks: Floats, expected: Floats, parent: Floats | float, weight: float) -> Floats:
    return np.asarray((clicks + weight) / (expected + weight / parent), np.float64)


def _rates(seen: LookedAt, expected: Floats, shape: tuple[int, int]) -> Floats:
    cell = seen.placement * shape[1] + seen.source
    size = shape[0] * shape[1]
    return two_way(added(cell, seen.clicked, size).reshape(shape), added(cell, expected, size).reshape(shape), PRIOR_RATE)


def _curves(seen: LookedAt, expected: Floats, placements: int) -> Floats:
    """Each placement's curve, drawn to that of all, which is drawn to the assumed one. The last is that of all."""
    assumed = prior_curve().astype(np.float64)
    cell = seen.placement * (BINS + 1) + seen.bin
    shape = (placements, BINS + 1)
    clicks = added(cell, seen.clicked, shape[0] * shape[1]).reshape(shape)
    due = added(cell, expected, shape[0] * shape[1]).reshape(shape)
    shared = _rising(clicks.sum(0), due.sum(0), assumed, BIN_CLICKS)
    own = [_rising(clicks[n], due[n], shared, OWN_BIN_CLICKS) for n in range(placements)]
    return np.array([*own, shared])


def _rising(clicks: Floats, due: Floats, parent: Floats, weight: float) -> Floats:
    """A curve drawn to its parent that never falls: what the model holds for likelier is not clicked less.

    Its level is the parent's over what was shown; how high the clicks are is the rates' to say.
    """
    found = _shrunk(clicks, due, parent, weight)
    found[:BINS] = isotonic_regression(found[:BINS], sample_weight=due[:BINS] + weight / parent[:BINS])
    level = float((due[:BINS] * found[:BINS]).sum())
    found[:BINS] *= float((due[:BINS] * parent[:BINS]).sum()) / level if level else 1.0
    found[BINS] = parent[BINS]
    return found


def spread_of_items(clicks: Floats, expected: Floats) -> float:
    """The spread under which these counts are likeliest: each is negative binomial, a Poisson with a Gamma(k, k) factor."""
    known = expected > 0
    y, due = clicks[known], expected[known]
    if not len(y):
        return SPREADS[-1]

    def likelihood(k: float) -> float:
        parts = gammaln(k + y) - gammaln(k) + k * np.log(k / (k + due)) + y * np.log(due / (k + due))
        return float(parts.sum())

    return max(SPREADS, key=likelihood)
