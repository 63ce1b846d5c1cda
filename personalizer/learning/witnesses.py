"""Sessions that no model is taught, so that models can be asked about them.

One session in ten of the last day is set apart, chosen by its number: the same ones at every training, so that the model
that serves was not taught them either, and the two are compared fairly. When their day is over they are learned from, too.
"""

from typing import Final

import numpy as np

from personalizer.evaluation.protocol import MOST, play
from personalizer.evaluation.ranker import Ranker
from personalizer.evaluation.split import Split
from personalizer.learning.days import Clicks
from personalizer.learning.gate import Trial
from personalizer.models.behaviour import Behaviour
from personalizer.models.model import Names

__all__ = ["behaviour_of", "set_apart", "tried"]

ONE_IN: Final = 10
LAST_MS: Final = 24 * 3600 * 1000
MOST_SESSIONS: Final = 1000  # more would prove no more, and take their time


def set_apart(clicks: Clicks, until_ms: int) -> tuple[Clicks, Clicks]:
    """(what is taught, the witnesses): of the sessions whose last click is of the last day one in ten. Pure."""
    if not len(clicks):
        return clicks, clicks
    begins = np.concatenate(([True], clicks.sessions[1:] != clicks.sessions[:-1]))
    session = np.cumsum(begins) - 1
    numbers = clicks.sessions[begins]
    ended = np.maximum.reduceat(clicks.times_ms, np.flatnonzero(begins))
    apart = ((ended >= until_ms - LAST_MS) & (numbers % ONE_IN == 0))[session]
    return clicks.chosen(~apart), clicks.chosen(apart)


def behaviour_of(clicks: Clicks) -> Behaviour:
    """The clicks as models take them. The order within a second is kept."""
    seconds = clicks.times_ms // 1000
    begins = np.flatnonzero(np.concatenate(([len(clicks) > 0], clicks.sessions[1:] != clicks.sessions[:-1])))
    starts = np.append(begins, len(clicks))
    ended = seconds[starts[1:] - 1]  # clicks come ordered by session and time
    return Behaviour(starts, clicks.items, clicks.kinds, seconds).taken(np.argsort(ended, kind="stable"))


def tried(ranker: Ranker, item_ids: Names, witnesses: Clicks) -> Trial:
    """Ask a model, whose items these are, for every next view of the witnesses. An item that it has not met is a miss."""
    chosen = np.unique(witnesses.sessions)[:MOST_SESSIONS]
    heard = witnesses.chosen(np.isin(witnesses.sessions, chosen))
    nobody = Behaviour.of_rows(*(np.zeros(0, np.int64),) * 4)
    split = Split(nobody, behaviour_of(heard.renumbered(item_ids)), item_ids, None, now_s=0, overlap_s=0)
    played, _ = play(ranker, split)
    ranks = played.ranks
    found = (ranks > 0) & (ranks <= MOST)
    return Trial(played.sessions, np.divide(1.0, ranks, out=np.zeros(len(ranks)), where=found))
