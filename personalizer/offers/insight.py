"""What is worked out of a model and its wares once, so that no request has to: typical values, arrivals, pieces. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from personalizer.catalogue.view import CatalogueView
from personalizer.feedback.responses import BINS, CENTRES, LEAST_P, Responses
from personalizer.kept import Kept
from personalizer.models.goods import KINDS, PRODUCT
from personalizer.models.model import UNKNOWN, ItemFacts, Model
from personalizer.models.next_item.compiled import still, warm
from personalizer.offers.ranking import RATES, TYPICAL
from personalizer.offers.situation import Candidates, Reason

__all__ = ["ARRIVAL_S", "Insight", "insight_of"]

DAY_S: Final = 24 * 3600
ARRIVAL_S: Final = 30 * DAY_S  # for so long a thing is new
ENOUGH_VIEWS: Final = 30.0  # decayed views after which a new thing had its chance
PER_CATEGORY: Final = 10
MOST_PIECES: Final = 50
MOST_PLACEMENTS: Final = 1000
MOST_SELLERS: Final = 10_000
MOST_FACTS: Final = 20_000
SAMPLE: Final = 20_000
New = tuple[list[int], list[float]]  # items, and how new each is


@dataclass(frozen=True)
class Insight:
    """A model with its wares. median_value: of what is for sale, in major units. arrivals: category → items that are new
    and had no chance yet, each with the second it came, newest first; under UNKNOWN those of all categories. pieces: what
    is not a product, items and their categories by what they are.

    responses: how visitors answered, as far as that was learned. sellers, newness: lists that candidates.sellers and
    candidates.arrivals made before; substitutes: those that eligibility found. What follows from the catalogue alone begins
    anew with it.
    """

    model: Model
    wares: CatalogueView
    median_value: float
    arrivals: Mapping[int, Sequence[tuple[int, int]]]
    pieces: Mapping[Reason, tuple[Sequence[int], Sequence[int]]]
    responses: Responses
    sellers: Kept[tuple[int, int, float], Candidates] = field(default_factory=lambda: Kept(MOST_SELLERS))
    newness: Kept[tuple[int, int], tuple[list[int], list[float]]] = field(
        init=False, default_factory=lambda: Kept(MOST_SELLERS)
    )
    substitutes: Kept[int, frozenset[int]] = field(init=False, default_factory=lambda: Kept(MOST_FACTS))
    _rates: Kept[str, Mapping[Reason, float]] = field(default_factory=lambda: Kept(MOST_PLACEMENTS))
    _curves: Kept[str, NDArray[np.float64]] = field(default_factory=lambda: Kept(MOST_PLACEMENTS))
    _facts: Kept[int, ItemFacts] = field(init=False, default_factory=lambda: Kept(MOST_FACTS))

    def facts(self, item: int) -> ItemFacts:
        """The newest facts of an item."""
        return self._facts.get(item) or self._facts.keep(item, self.wares.facts(item))

    def rates(self, placement: str) -> Mapping[Reason, float]:
        """What a source's certainty is worth at this placement: as learned, else ranking.RATES."""
        return self._rates.get(placement) or self._rates.keep(placement, _rates(self.responses, placement))

    def curve_at(self, placement: str) -> NDArray[np.float64]:
        """How much likelier than usual a response is to what is next, at CENTRES."""
        curve = self._curves.get(placement)
        if curve is None:
            learned = self.responses.curve[self.responses.row(placement)]
            curve = self._curves.keep(placement, still(learned[:BINS], np.float64))
        return curve

    def curve(self, placement: str, p_next: Sequence[float]) -> list[float]:
        """The same at these probabilities."""
        heights: list[float] = np.interp(np.log2(np.maximum(p_next, LEAST_P)), CENTRES, self.curve_at(placement)).tolist()
        return heights

    @cached_property
    def columns(self) -> tuple[NDArray[Any], ...]:
        """What all candidates are asked for, of shape (items,): factor, value, category, variant group, open until when."""
        wares = self.wares
        return (
            still(self.responses.factor), still(wares.value), still(wares.category_of), still(wares.variant_of),
            still(wares.open_until_s),
        )  # fmt: skip


def insight_of(model: Model, wares: CatalogueView, now_s: int, responses: Responses | None = None) -> Insight:
    """Milliseconds for a million items; to be asked when the model or the catalogue changed. The first waits for warm()."""
    warm()
    responses = responses or model.responses or Responses.prior(len(model))
    return Insight(model, wares, _median(wares), _arrivals(model, wares, now_s), _pieces(wares), responses)


def _rates(responses: Responses, placement: str) -> dict[Reason, float]:
    """Of a source that was shown before, the learned rate of its offers; of the others the prior."""
    row = responses.row(placement)
    met = {name.decode(): column for column, name in enumerate(responses.sources.tolist())}
    return {
        reason: float(responses.rates[row, met[reason.value]]) / TYPICAL[reason] if reason.value in met else rate
        for reason, rate in RATES.items()
    }


def _median(wares: CatalogueView) -> float:
    """Of a sample: an exact one would cost more than it is worth."""
    values = wares.value[:: max(1, len(wares.value) // SAMPLE)]
    known = values[values > 0]
    return float(np.median(known)) if len(known) else 1.0


def _arrivals(model: Model, wares: CatalogueView, now_s: int) -> dict[int, list[tuple[int, int]]]:
    new = np.flatnonzero((wares.first_seen_s > now_s - ARRIVAL_S) & wares.sellable & (wares.kind == PRODUCT))
    new = new[_views(model, new) < ENOUGH_VIEWS]
    found: dict[int, list[tuple[int, int]]] = {}
    for item in new[np.argsort(-wares.first_seen_s[new], kind="stable")].tolist():
        for category in {int(wares.category_of[item]), UNKNOWN}:
            row = found.setdefault(category, [])
            if len(row) < PER_CATEGORY:
                row.append((item, int(wares.first_seen_s[item])))
    return found


def _views(
    model: Model, items: "np.ndarray[tuple[int], np.dtype[np.intp]]"
) -> "np.ndarray[tuple[int], np.dtype[np.float32]]":
    """Decayed views. A model that did not count them knows at least what was never seen along with anything else."""
    if model.habits is not None:
        return model.habits.views[items]
    return np.where(np.diff(model.viewed.starts)[items] == 0, 0, ENOUGH_VIEWS).astype(np.float32)


def _pieces(wares: CatalogueView) -> dict[Reason, tuple[list[int], list[int]]]:
    found: dict[Reason, tuple[list[int], list[int]]] = {}
    for item in np.flatnonzero((wares.kind != PRODUCT) & wares.sellable)[:MOST_PIECES].tolist():
        items, categories = found.setdefault(Reason(KINDS[int(wares.kind[item])]), ([], []))
        items.append(item)
        categories.append(int(wares.category_of[item]))
    return found
