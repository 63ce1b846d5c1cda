"""What ranking rests on, built from behaviour in seconds: the index of sessions, what is near what, facts of items. Pure."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from personalizer.models.behaviour import Behaviour
from personalizer.models.next_item.compiled import still
from personalizer.models.next_item.embedding import embed, placed
from personalizer.models.next_item.evidence import LONGEST
from personalizer.models.next_item.features import Items
from personalizer.models.next_item.index import Related, Sessions, build_related, build_sessions, occurrences, pieces

__all__ = ["Base", "build_base", "trimmed"]

MOST_EVENTS: Final = 200  # of a session, its last ones; longer ones are mostly machines
MOST_HOLDERS: Final = 1000
MOST_RELATED: Final = 100
RELATED_ROOM: Final = 50_000_000  # pairs in all: 20 bytes each
DIMENSIONS: Final = 48
POPULAR_KEPT: Final = 1000
LEAST_RECENT: Final = 1000  # clicks


class Base(NamedTuple):
    """The index, what is near what, and what is known of each item."""

    sessions: Sessions
    related: Related
    items: Items

    @property
    def n_items(self) -> int:
        return len(self.items.clicks)

    def sound(self, n_items: int) -> bool:
        """True when all parts are, and of so many items."""
        return self.sessions.sound(n_items) and self.related.sound(n_items) and self.items.sound(n_items)


def trimmed(behaviour: Behaviour) -> Behaviour:
    """Without all but the last MOST_EVENTS of each session."""
    lengths = np.diff(behaviour.starts)
    if not len(lengths) or lengths.max() <= MOST_EVENTS:
        return behaviour
    rows = np.ones(len(behaviour.items), np.bool_)
    for session in np.flatnonzero(lengths > MOST_EVENTS):
        rows[behaviour.starts[session] : behaviour.starts[session + 1] - MOST_EVENTS] = False
    starts = np.concatenate(([0], np.cumsum(np.minimum(lengths, MOST_EVENTS)))).astype(np.int64)
    return Behaviour(starts, behaviour.items[rows], behaviour.kinds[rows], behaviour.times[rows])


def build_base(
    behaviour: Behaviour, n_items: int, category_of: NDArray[np.int32] | None, seed: int,
    embedding: NDArray[np.float32] | None = None,
) -> Base:  # fmt: skip
    """The base of trimmed behaviour. embedding: vectors from before, float32 (items, d), to be used again; items that it
    has no vector for stand where those stand that they occur with."""
    sessions = build_sessions(behaviour, n_items, LONGEST, MOST_HOLDERS)
    most = max(10, min(MOST_RELATED, RELATED_ROOM // max(n_items, 1)))
    related = build_related(behaviour, sessions, n_items, most)
    held = np.maximum(occurrences(sessions.items, n_items), 1).astype(np.float32)
    vectors = embed(related, held, DIMENSIONS, seed) if embedding is None else placed(embedding, related)
    return Base(sessions, related, _items(behaviour, sessions, related, category_of, vectors, n_items))


def _items(
    behaviour: Behaviour, sessions: Sessions, related: Related, category_of: NDArray[np.int32] | None,
    vectors: NDArray[np.float32], n_items: int,
) -> Items:  # fmt: skip
    total = len(behaviour.items)
    recent_clicks = max(LEAST_RECENT, total // 10)
    recent = occurrences(behaviour.items[-recent_clicks:], n_items)
    ever = occurrences(behaviour.items, n_items)
    expected = ever * min(1.0, recent_clicks / max(total, 1))
    popular = np.lexsort((np.arange(n_items), -ever, -recent))[:POPULAR_KEPT]
    return Items(
        clicks=still(np.log1p(ever), np.float32),
        trend=still(np.log((recent + 1) / (expected + 1)), np.float32),
        idle=still(_idle(sessions, n_items), np.float32),
        follows_itself=still(_follows_itself(related, n_items), np.float32),
        category=still(np.full(n_items, -1) if category_of is None else category_of, np.int32),
        embedding=still(vectors, np.float32),
        popular=still(popular, np.int32),
        popular_share=still(recent[popular] / max(recent.sum(), 1), np.float32),
    )


def _idle(sessions: Sessions, n_items: int) -> NDArray[np.float64]:
    """The age of each item's newest session, 1 where it has none."""
    total = len(sessions.starts) - 1
    newest = np.full(n_items, -1)
    held = np.diff(sessions.holder_starts) > 0
    newest[held] = sessions.holders[sessions.holder_starts[:-1][held]]
    return np.asarray(1 - (newest + 1) / max(total, 1), np.float64)


def _follows_itself(related: Related, n_items: int) -> NDArray[np.float32]:
    found = np.zeros(n_items, np.float32)
    for _, rows, where in pieces(related):
        itself = rows == related.items[where]
        found[rows[itself]] = related.forward[where][itself]
    return found
