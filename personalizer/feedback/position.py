"""How much each rank of a placement is looked at, from what was shown and clicked. Pure.

Position-based model: E[clicks] = shown · examination(rank) · attraction(group). A group is what is the same wherever it
stands: an item from one source at one placement, of which the ranking believed the same. Within a group the ranks divide its
clicks in proportion to shown · examination, whatever its attraction is: the likelihood given each group's number of clicks
is a product of multinomials (Hausman, Hall, Griliches 1984: Poisson counts with fixed effects). So better items standing
higher bias nothing, nor do visitors of whom the ranking knew more; and what stood at one rank only says nothing. It is what
Agarwal, Zaitsev, Wang et al. (WSDM 2019) call harvesting interventions: an item stands elsewhere because of others in its
list. The maximum is found by minorization (Hunter 2004); pseudo-clicks draw it to a prior (Gamma).
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from personalizer.feedback.responses import BINS, MAX_RANK, prior_examination

__all__ = ["Shown", "added", "evened", "examination", "examinations"]

# Clicks that a prior weighs at each rank: of the assumed curve, of all placements for one of them, and of all its lists for
# what its explored lists say, in which nothing but dice decided who stands where.
ASSUMED_CLICKS: Final = 20.0
SHARED_CLICKS: Final = 50.0
OBSERVED_CLICKS: Final = 50.0
ROUNDS: Final = 300
CLOSE: Final = 1e-4
LEAST, MOST = 0.001, 10.0

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Shown:
    """Offers that were shown, added up where all is the same but the clicks; all of shape (n,).

    placement, source: places in the lists of their names. item: number of the model, negative for those that it does not
    know. rank: from 1. bin: of the model's probability, see bin_of(). belief: the same of what was reckoned as P(response),
    which is what it was ranked by; of the model's where that is not known. explored: dice put it where it stood.
    shown, clicked: counts. weight: of one of them, min(1 / propensity, a bound), in the mean of the row.
    """

    placements: tuple[str, ...]
    sources: tuple[str, ...]
    placement: Ints
    source: Ints
    item: Ints
    rank: Ints
    bin: Ints
    belief: Ints
    explored: NDArray[np.bool_]
    shown: Floats
    clicked: Floats
    weight: Floats

    def __len__(self) -> int:
        return len(self.rank)

    def part(self, chosen: NDArray[np.bool_]) -> "Shown":
        """The chosen rows."""
        arrays = ("placement", "source", "item", "rank", "bin", "belief", "explored", "shown", "clicked", "weight")
        return Shown(self.placements, self.sources, *(getattr(self, name)[chosen] for name in arrays))

    def busiest(self, most: int) -> "Shown":
        """Only the `most` placements that were shown most: whoever asks makes names up, and each costs its learning."""
        size = len(self.placements)
        if size <= most:
            return self
        times = np.bincount(self.placement, self.shown, size)
        kept = np.sort(np.argsort(-times, kind="stable")[:most])
        place = np.full(size, -1)
        place[kept] = np.arange(most)
        part = self.part(place[self.placement] >= 0)
        return replace(part, placements=tuple(self.placements[n] for n in kept), placement=place[part.placement])


def examinations(shown: Shown) -> Floats:
    """How much each rank is looked at against the first, of shape (placements + 1, MAX_RANK); the last row: everywhere."""
    place = np.minimum(shown.rank, MAX_RANK) - 1
    same = _numbered(shown.placement, shown.source, shown.item, shown.belief)
    assumed = prior_examination().astype(np.float64)
    everywhere = examination(same, place, shown.shown, shown.clicked, assumed, ASSUMED_CLICKS)
    found = [_of_placement(shown.part(shown.placement == n), everywhere) for n in range(len(shown.placements))]
    return np.array([*found, everywhere])


def _of_placement(shown: Shown, everywhere: Floats) -> Floats:
    place = np.minimum(shown.rank, MAX_RANK) - 1
    same = _numbered(shown.source, shown.item, shown.belief)
    curve = examination(same, place, shown.shown, shown.clicked, everywhere, SHARED_CLICKS)
    diced = shown.explored
    # Where dice decide, weights make the same mixture of every rank, and groups may be coarse: two octaves of a source.
    weight = evened(shown.weight[diced], shown.shown[diced])
    alike = _numbered(shown.source[diced], np.where(shown.belief == BINS, BINS, shown.belief // 4)[diced])
    return examination(
        alike, place[diced], shown.shown[diced] * weight, shown.clicked[diced] * weight, curve, OBSERVED_CLICKS
    )


def examination(groups: Ints, places: Ints, shown: Floats, clicked: Floats, prior: Floats, prior_clicks: float) -> Floats:
    """How much each place (from 0) is looked at against the first, of shape (len(prior),), as explained above.

    groups, places, shown, clicked: of shape (n,). prior_clicks: how many clicks at a place weigh as much as the prior.
    """
    rows = _telling(groups, places, clicked)
    size = len(prior)
    cells, cell = np.unique(groups[rows] * size + places[rows], return_inverse=True)
    shown, clicked = added(cell, shown[rows], len(cells)), added(cell, clicked[rows], len(cells))
    groups, places = cells // size, cells % size
    n_groups = int(groups.max(initial=-1)) + 1
    clicks_of_group, clicks_at_place = added(groups, clicked, n_groups), added(places, clicked, size)
    found = prior.copy()
    for _ in range(ROUNDS):
        seen = added(groups, shown * found[places], n_groups)
        attraction = np.divide(clicks_of_group, seen, out=np.zeros(n_groups), where=seen > 0)
        expected = added(places, shown * attraction[groups], size)
        before, found = found, (clicks_at_place + prior_clicks * prior) / (expected + prior_clicks)
        if np.abs(np.log(found / before)).max() < CLOSE:
            break
    return np.asarray(np.clip(found / found[0], LEAST, MOST), np.float64)


def added(places: Ints, values: Floats, size: int) -> Floats:
    """The sum of the values at each place, of shape (size,)."""
    return np.bincount(places, values, size).astype(np.float64)


def _telling(groups: Ints, places: Ints, clicked: Floats) -> NDArray[np.bool_]:
    """Rows of groups that stood at several places and were clicked: the others say nothing of places."""
    n_groups = int(groups.max(initial=-1)) + 1
    lowest, highest = np.full(n_groups, np.iinfo(np.int64).max), np.full(n_groups, -1)
    np.minimum.at(lowest, groups, places)
    np.maximum.at(highest, groups, places)
    return ((highest > lowest) & (added(groups, clicked, n_groups) > 0))[groups]


def _numbered(*columns: Ints) -> Ints:
    """A number from 0 for each distinct combination."""
    number = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        _, each = np.unique(column, return_inverse=True)
        number = number * (int(each.max(initial=0)) + 1) + each
        _, number = np.unique(number, return_inverse=True)
    return number


def evened(weight: Floats, counts: Floats) -> Floats:
    """Weights scaled so that they count as many as they are worth: (Σ w)² / Σ w² (Kish 1965)."""
    total = float((weight * counts).sum())
    return weight * (total / float((weight**2 * counts).sum())) if total else weight
