"""A shop's own history as train and test: what came before a moment, and the sessions that began after it.

Nothing of after the cut is known before it: items, categories and popularity are those that the history had then, so a test
says what a model trained at that moment would have been worth. The catalogue is left out: it is of now.
"""

from dataclasses import replace
from datetime import datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from baliza.errors import BalizaError
from baliza.settings import Settings
from baliza.sites import Site
from baliza.stores import History
from personalizer.evaluation.split import Split
from personalizer.learning.days import Clicks, DayFiles, read_clicks
from personalizer.learning.history import Parameters, Progress, read_items
from personalizer.learning.span import read_span
from personalizer.learning.witnesses import behaviour_of
from personalizer.models.model import find, sorted_names

__all__ = ["MOST_SESSIONS", "TooYoung", "cut_of", "read_split", "split_clicks"]

DAY_MS: Final = 86_400_000
TEST_SHARE: Final = 0.2  # of all sessions, at most
WANTED_SESSIONS: Final = 500  # of test: a quiet last day is joined by the days before it
LEAST_SESSIONS: Final = 50  # in all; fewer say nothing
MOST_SESSIONS: Final = 5_000  # of test: the standard error is below a hundredth then
PARAMETERS: Final = Parameters()


class TooYoung(BalizaError):
    """The history holds too little to learn from one part and to test on the other."""


def read_split(
    history: History, settings: Settings, site: Site, now: datetime, folder: DayFiles, progress: Progress
) -> Split:
    """The last settings.train_days before `now`, cut. Raises TooYoung and StoreDown. Blocks.

    folder: where days that were read are kept; the trainer's own serves.
    """
    progress("reading the period", 0.0)
    span = read_span(history, settings, site, now)
    clicks = read_clicks(
        history, site.name, span.since_ms, span.until_ms, PARAMETERS.max_clicks_per_session, folder,
        lambda done: progress("reading sessions", done),
    )  # fmt: skip
    cut_ms = cut_of(clicks)
    progress("reading items", 0.0)
    facts = read_items(history, site, replace(span, until_ms=cut_ms), PARAMETERS).facts
    categories = {fact.item_id.encode(): fact.category for fact in facts}
    return split_clicks(clicks, cut_ms, categories, np.random.default_rng(0))


def cut_of(clicks: Clicks) -> int:
    """The instant, ms, at which test begins: a day before the last event, earlier when fewer than 500 sessions began since,
    but never so early that more than 20 % of all sessions are in test. Raises TooYoung.
    """
    begins = np.sort(_begins(clicks)[0])
    count = len(begins)
    if count < LEAST_SESSIONS:
        raise TooYoung(
            f"expected {LEAST_SESSIONS} sessions or more to learn from and to test on, got {count}; let visitors come for "
            "some days, or evaluate a log with --train and --test"
        )
    day_ago = int(clicks.times_ms.max()) - DAY_MS
    return max(min(day_ago, int(begins[-min(WANTED_SESSIONS, count)])), int(begins[int(count * (1 - TEST_SHARE))]))


def split_clicks(clicks: Clicks, cut_ms: int, categories: dict[bytes, str], rng: np.random.Generator) -> Split:
    """Clicks before the cut, and sessions that began at it or later: of many a sample. Pure.

    A session that began before the cut and went on is in train up to the cut, and not in test. categories: item → name, as
    known before the cut; "" for none.
    """
    begins, session_of = _begins(clicks)
    train = clicks.chosen(clicks.times_ms < cut_ms)
    later = np.flatnonzero(begins >= cut_ms)
    if len(later) > MOST_SESSIONS:
        later = rng.choice(later, MOST_SESSIONS, replace=False)
    test = clicks.chosen(np.isin(session_of, later))
    item_ids = np.unique(train.names[train.items])
    names = sorted_names([name for name in categories.values() if name])
    category_of = np.array(find(names, [categories.get(item, "") for item in item_ids.tolist()]), np.int32)
    return Split(
        train=behaviour_of(train.numbered(item_ids)),
        test=behaviour_of(test.renumbered(item_ids)),
        item_ids=item_ids,
        category_of=category_of if len(names) else None,
        now_s=cut_ms // 1000,
        overlap_s=0,
    )


def _begins(clicks: Clicks) -> tuple[NDArray[np.int64], NDArray[np.intp]]:
    """The first instant of each session, and the place of each click's session among them."""
    sessions, session_of = np.unique(clicks.sessions, return_inverse=True)
    begins = np.full(len(sessions), np.iinfo(np.int64).max)
    np.minimum.at(begins, session_of, clicks.times_ms)
    return begins, session_of
