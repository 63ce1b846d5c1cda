"""What all sources say together of each item, and what that is worth: the sums of ranking.py, compiled.

After the model of next items everything lies in cold memory, and every item is asked in five places; so all of it is done in
one go over all candidates, and only what stands at the front becomes objects.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from msgspec import Struct
from numba import types
from numpy.typing import NDArray

from personalizer.feedback.responses import BINS, LEAST_P, LOWEST_LOG2
from personalizer.models.model import UNKNOWN
from personalizer.models.next_item.compiled import array_of, entry, inner
from personalizer.offers.insight import Insight
from personalizer.offers.ranking import MOST_WORTH, SUREST, Loudness, Ranked
from personalizer.offers.situation import Candidates, Reason

__all__ = ["Merged", "merged"]

PLACE_BITS: Final = 20  # of a number that holds an item and the place at which it was said
ITEM, LEAD, CATEGORY, VARIANT, OPEN = range(5)
P, WORTH, EXPECTED = range(3)


class Merged(Struct, frozen=True):
    """Each item once, the highest expected value first, equal ones by number: the same question, the same answer.

    whole: int64 (n, 5), item, which candidate of all says most, category, variant group, whether it may be offered now.
    parts: float64 (n, 3), P(response), worth in typical values, expected value. reasons, because: of all candidates, by whom
    and from which item.
    """

    whole: NDArray[np.int64]
    parts: NDArray[np.float64]
    reasons: Sequence[Reason] = ()
    because: Sequence[int] = ()

    @property
    def items(self) -> NDArray[np.int64]:
        """The items, of shape (n,)."""
        return self.whole[:, ITEM]

    @property
    def closed(self) -> NDArray[np.int64]:
        """Those that may not be offered now."""
        closed: NDArray[np.int64] = self.items[self.whole[:, OPEN] == 0]
        return closed

    def front(self, most: int) -> list[Ranked]:
        """The first so many; who says nothing is not heard."""
        found = []
        for (item, lead, category, variant, _), (p, worth, expected) in zip(
            self.whole[:most].tolist(), self.parts[:most].tolist(), strict=True
        ):
            if expected <= 0:
                break
            found.append(Ranked(item, p, worth, expected, category, self.reasons[lead], self.because[lead], variant))
        return found


def merged(known: Insight, found: Sequence[Candidates], loud: Loudness, placement: str, dial: float, now_s: int) -> Merged:
    """All candidates, merged and valued. Who says most gives the reason; of equals who spoke first."""
    items, strengths, reasons, because = list[int](), list[float](), list[Reason](), list[int]()
    groups: list[tuple[float, float, float]] = []
    for group in found:
        rate = loud[group.reason]
        if rate > 0:
            size = len(group.items)
            items += group.items
            strengths += group.strengths
            reasons += [group.reason] * size
            because += group.because or [UNKNOWN] * size
            groups.append((len(items), rate, group.reason is Reason.NEXT_ITEM))
    whole, parts = np.empty((len(items), 5), np.int64), np.empty((len(items), 3))
    if not items:
        return Merged(whole, parts)
    size = _merge(
        np.array(items), np.array(strengths, np.float64), np.array(groups), known.curve_at(placement), *known.columns,
        known.median_value, dial, now_s, whole, parts,
    )  # fmt: skip
    return Merged(whole[:size], parts[:size], reasons, because)


@inner
def _height(curve, p_next):  # type: ignore[no-untyped-def]
    """How much likelier than usual a response is, between the middles of the curve's bins by a straight line."""
    at = (np.log2(max(p_next, LEAST_P)) - LOWEST_LOG2) * 2 - 0.5
    if at <= 0:
        return curve[0]
    low = int(at)
    if low >= BINS - 1:
        return curve[BINS - 1]
    return curve[low] + (curve[low + 1] - curve[low]) * (at - low)


@inner
def _add_up(said, keys, missed, numbers, leads):  # type: ignore[no-untyped-def]
    """Of sorted keys each item once: how likely nobody's word comes true, and whose word is the strongest."""
    size, best = 0, -1.0
    for key in keys:
        item, place = key >> PLACE_BITS, key & ((1 << PLACE_BITS) - 1)
        if not size or numbers[size - 1] != item:
            numbers[size], missed[size], best = item, 1.0, -1.0
            size += 1
        missed[size - 1] *= 1 - said[place]
        if said[place] > best:
            best, leads[size - 1] = said[place], place
    return size


@entry(
    lambda: (
        array_of("i8", changed=True), array_of("f8", changed=True), array_of("f8", 2, changed=True),
        array_of("f8"), array_of("f4"), array_of("f4"), array_of("i4"), array_of("i4"), array_of("i8"),
        types.float64, types.float64, types.int64, array_of("i8", 2, changed=True), array_of("f8", 2, changed=True),
    )
)  # fmt: skip
def _merge(  # type: ignore[no-untyped-def]
    items, strengths, groups, curve, factor, values, categories, variants, open_until, median, dial, now_s, whole, parts
):
    """See Merged and ranking.py. groups: float64 (sources, 3): end, rate, whether the curve is to be applied."""
    said, keys = np.empty(len(items)), np.empty(len(items), np.int64)
    group = 0
    for place in range(len(items)):
        while place >= groups[group, 0]:
            group += 1
        height = _height(curve, strengths[place]) if groups[group, 2] else strengths[place]
        said[place] = min(groups[group, 1] * height, SUREST)
        keys[place] = (items[place] << PLACE_BITS) | place
    keys.sort()
    missed, numbers, leads = np.empty(len(items)), np.empty(len(items), np.int64), np.empty(len(items), np.int64)
    size = _add_up(said, keys, missed, numbers, leads)
    expected, worths = np.empty(size), np.empty(size)
    for at in range(size):
        item = numbers[at]
        value = values[item]
        worths[at] = min(max(value / median, 1 / MOST_WORTH), MOST_WORTH) if value > 0 else 1.0
        missed[at] = min(factor[item] * (1 - missed[at]), SUREST)
        expected[at] = -missed[at] * worths[at] ** dial
    order = np.argsort(expected, kind="mergesort")
    for at in range(size):
        one = order[at]
        item = numbers[one]
        parts[at, P], parts[at, WORTH], parts[at, EXPECTED] = missed[one], worths[one], -expected[one]
        whole[at, ITEM], whole[at, LEAD], whole[at, CATEGORY] = item, leads[one], categories[item]
        whole[at, VARIANT], whole[at, OPEN] = variants[item], open_until[item] > now_s
    return size
