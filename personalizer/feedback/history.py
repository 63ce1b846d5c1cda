"""Learn responses from the history: one call for training."""

import logging
from collections.abc import Container, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from baliza.sites import Site
from baliza.stores import History, query
from personalizer.feedback.learn import Assumed, learn
from personalizer.feedback.position import Floats, Shown
from personalizer.feedback.report import read_answers
from personalizer.feedback.responses import BINS, LOWEST_LOG2, Responses
from personalizer.learning.span import Span
from personalizer.offers.ranking import RATES, TYPICAL
from personalizer.offers.situation import Reason

__all__ = ["learn_responses", "read_shown"]

# As ranking reckons while nothing is learned, so that the first clicks move it and do not throw it over.
ASSUMED: Final = Assumed(
    rates={reason.value: rate * TYPICAL[reason] for reason, rate in RATES.items()},
    curved=frozenset({Reason.NEXT_ITEM.value}),
)

log = logging.getLogger("baliza.train")

MOST_OFFERS: Final = 2_000_000  # given out; of more than these, a share of the decisions is read
MOST_OF_VISITOR: Final = 2_000  # nobody sees more in earnest, and nobody may decide alone what others are offered
MOST_PLACEMENTS: Final = 200  # of others it is learned as of one that was never met
LEAST_VISITORS: Final = (
    10  # so many who click on what was not shown are needed to take a placement for one that does not tell
)
MOST_WEIGHT: Final = 1_000.0
SETTLED_MS: Final = 120_000  # a click comes later than its offer, and both take a moment to arrive
ROWS_AT_ONCE: Final = 20_000


def learn_responses(history: History, site: Site, span: Span, item_ids: Sequence[str], now: datetime) -> Responses:
    """Responses to what was offered within the span, for the items of a model in its order; the prior where nothing was.

    Blocks for some queries. Raises StoreDown. The same history and `now` give the same.
    """
    until_ms = min(span.until_ms, round(now.timestamp() * 1000) - SETTLED_MS)
    shown = read_shown(history, site, span.since_ms, until_ms, item_ids)
    answers = read_answers(history, site.name, _instant(span.since_ms), _instant(until_ms))
    clicked, bought = (_table(shown, answers, name) for name in ("clicked", "via_click"))
    log.info("%s: %d offers shown, %d clicks to learn from", site.name, shown.shown.sum(), shown.clicked.sum())
    return learn(shown, clicked, bought, len(item_ids), ASSUMED)


def read_shown(history: History, site: Site, since_ms: int, until_ms: int, item_ids: Sequence[str]) -> Shown:
    """The offers decided in [since_ms, until_ms) that were seen. Raises StoreDown.

    A decision with a click on what nobody said was shown does not say what was: it is left out, and so is a placement where
    most of the visitors who click do so.
    """
    asked: dict[str, Any] = {"site": site.name, "since_ms": since_ms, "until_ms": until_ms}
    ((offers,),) = history.rows(query("count_decisions"), asked)
    asked |= {
        "one_of": max(1, -(-offers // MOST_OFFERS)), "most_of_visitor": MOST_OF_VISITOR, "most_weight": MOST_WEIGHT,
        "bins": BINS, "lowest": LOWEST_LOG2, "least_visitors": LEAST_VISITORS,
    }  # fmt: skip
    numbers = {item_id: number for number, item_id in enumerate(item_ids)}
    names: tuple[dict[str, int], dict[str, int]] = ({}, {})
    chunks = [_numbered(rows, numbers, names) for rows in history.chunks(query("learn_shown"), asked, ROWS_AT_ONCE)]
    shown = _shown(np.concatenate([np.zeros((0, 10)), *chunks]), names)
    untold = {str(placement) for (placement,) in history.rows(query("learn_untold"), asked)}
    return _told(shown, untold).busiest(MOST_PLACEMENTS)


def _numbered(
    rows: Sequence[tuple[Any, ...]], items: Mapping[str, int], names: tuple[dict[str, int], dict[str, int]]
) -> Floats:
    """A chunk as numbers; placements and sources get theirs in the order in which they come."""
    placements, sources = names
    return np.array(
        [
            (
                placements.setdefault(row[0], len(placements)),
                sources.setdefault(row[1], len(sources)),
                items.get(row[2], -1),
                *row[3:],
            )
            for row in rows
        ],
        np.float64,
    )


def _shown(table: Floats, names: tuple[dict[str, int], dict[str, int]]) -> Shown:
    """The rows, with names sorted by their bytes."""
    places, ordered = zip(*map(_sorted, names), strict=True)
    placement, source, item, rank, bins, belief, tried = (column.astype(np.int64) for column in table[:, :7].T)
    times, clicks, weights = table[:, 7:].T
    return Shown(
        ordered[0],
        ordered[1],
        places[0][placement],
        places[1][source],
        item,
        rank,
        bins,
        belief,
        tried > 0,
        times,
        clicks,
        weights / times,
    )


def _sorted(names: Mapping[str, int]) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Where each number stands among the sorted names, and these."""
    ordered = sorted(names, key=str.encode)
    places = np.zeros(len(names), np.int64)
    for place, name in enumerate(ordered):
        places[names[name]] = place
    return places, tuple(ordered)


def _told(shown: Shown, untold: Container[str]) -> Shown:
    """Without the placements that do not say what was shown."""
    left_out = np.array([name in untold for name in shown.placements], np.bool_)
    for place in np.flatnonzero(left_out):
        log.warning("nothing is learned of %s: its clicks come without offer_shown", shown.placements[place])
    return shown.part(~left_out[shown.placement])


def _table(shown: Shown, answers: Sequence[Any], name: str) -> Floats:
    """Offers by placement and source."""
    places, sources = ({each: place for place, each in enumerate(names)} for names in (shown.placements, shown.sources))
    table = np.zeros((len(places), len(sources)))
    for each in answers:
        if each.placement in places and each.source in sources:
            table[places[each.placement], sources[each.source]] += getattr(each, name)
    return table


def _instant(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)
