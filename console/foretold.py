"""How ready to buy a visitor was at each step of a session that is told: what would be said now of each moment then."""

from typing import Final

from baliza.readiness.assess import assess
from baliza.readiness.model import ReadinessModel
from baliza.stores import History
from console.filters import milliseconds
from console.rows import SessionRow, StoryEvent
from personalizer.readiness.past import read_past
from personalizer.readiness.replay import PROFILE_LIVES_MS, Visitor

__all__ = ["foretold"]

DIGITS: Final = 4


def foretold(
    history: History, site: str, session: SessionRow, events: list[StoryEvent], model: ReadinessModel | None
) -> list[float | None]:
    """For each event the probability of an order in the rest of the session, right after it.

    None for what was not seen live: events that arrived when their session was over, and bots. One query for what the
    visitor did in the days that a profile remembers. Raises StoreDown.
    """
    begin, end = milliseconds(session.started_at), milliseconds(session.ended_at) + 1
    found: dict[tuple[int, str], list[float]] = {}
    visitor: Visitor | None = None
    for past in read_past(history, site, begin - PROFILE_LIVES_MS, end, visitor_id=session.visitor_id):
        visitor = visitor or Visitor.at(past)
        if past.at_ms - visitor.profile.last_seen_at > PROFILE_LIVES_MS:
            visitor = Visitor.at(past)
        if not visitor.live(past):
            continue
        visitor.take(past)
        if past.session_id == session.session_id:
            told = round(assess(visitor.profile, past.at_ms, model).probability, DIGITS)
            found.setdefault((past.at_ms, past.kind), []).append(told)
    return [_next(found.get((milliseconds(event.occurred_at), event.type))) for event in events]


def _next(waiting: list[float] | None) -> float | None:
    return waiting.pop(0) if waiting else None
