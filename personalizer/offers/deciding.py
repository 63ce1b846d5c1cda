"""Deciding with real models and clocks: what is missing or late makes an answer poorer, never an error and never a wait."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Final

from baliza.metrics import OFFER_SECONDS, OFFERS
from baliza.readiness.assess import assess
from baliza.readiness.files import ReadinessShelf
from baliza.sites import Site
from personalizer.feedback.log import DecisionLog
from personalizer.models.shelf import ModelShelf
from personalizer.offers.answer import Decision, Fallback, Offer, explained, offers_of, record_of
from personalizer.offers.asking import Asked
from personalizer.offers.decision import Choice, Dial, decide
from personalizer.offers.insight import Insight
from personalizer.offers.insights import Insights
from personalizer.offers.situation import NOT_KNOWN, Purposes, Question
from schema.profile import VisitorProfile

__all__ = ["SLOW_PAUSE_S", "Clocks", "Decider"]

# Of the budget: what is left of it after that is for deciding without the model, and for writing the answer.
LAST_START: Final = 0.8
# A model that took longer than the budget is left alone for so long: its pages may be on their way from a slow disk.
SLOW_PAUSE_S: Final = 1.0
# As sessions end by default: what an earlier visit was for says nothing of this one, nor of an e-mail.
VISIT_OVER_MS: Final = 1_800_000

log = logging.getLogger("baliza.personalizer")
_counted: Final = {name: OFFERS.labels(name) for name in ("none", "no_model", "no_profile", "store_down", "too_slow")}


@dataclass(frozen=True)
class Clocks:
    """now_ms: ms since the epoch, UTC. monotonic: seconds. new_id: makes decision ids."""

    now_ms: Callable[[], int]
    monotonic: Callable[[], float]
    new_id: Callable[[], str]


class Decider:
    """Makes decisions; for any thread. written: the log of decisions, None to keep none. budget_s: for one answer."""

    def __init__(
        self,
        shelf: ModelShelf,
        insights: Insights,
        readiness: ReadinessShelf | None,
        written: DecisionLog | None,
        clocks: Clocks,
        rng: Random,
        budget_s: float,
    ) -> None:
        self._shelf, self._insights, self._readiness = shelf, insights, readiness
        self._written, self._clocks, self._rng, self._budget_s = written, clocks, rng, budget_s
        self._slow_until: dict[str, float] = {}  # by site: each has a model of its own

    def without_store(self, asked: Asked, began: float) -> Decision:
        """The answer when not even the key can be checked."""
        return self._decision(self._clocks.new_id(), asked, [], "store_down", began)

    def of_profile(
        self, site: Site, asked: Asked, profile: VisitorProfile | None, fallback: Fallback | None, began: float
    ) -> Decision:
        """The answer to a request that came at `began` (monotonic)."""
        decision_id, asked_at = self._clocks.new_id(), self._clocks.monotonic()
        model = self._shelf.get(site.name)
        if model is None:
            return self._decision(decision_id, asked, [], fallback if fallback == "store_down" else "no_model", began)
        try:
            known = self._insights.get(site.name, model)
            now_ms = self._clocks.now_ms()
            # A process reads its first model while somebody waits; that says nothing of how fast it decides.
            reading_s = self._clocks.monotonic() - asked_at
            choice = self._choice(site, known, profile, asked, now_ms, began + reading_s)
            offers = offers_of(known, choice, now_ms)
        except Exception:
            log.exception("no offers for %s at %s", site.name, asked.placement)
            return self._decision(decision_id, asked, [], "no_model", began)
        if choice.hurried and fallback is None:
            fallback = "too_slow"
        if profile is not None and asked.visitor_id and self._written is not None:
            session_id = profile.session.session_id if profile.session else ""
            self._written.write(
                record_of(
                    known, choice, offers, site.name, decision_id, asked.visitor_id, session_id, fallback or "", now_ms
                )
            )
        return self._decision(decision_id, asked, offers, fallback, began, (known, choice))

    def _choice(
        self, site: Site, known: Insight, profile: VisitorProfile | None, asked: Asked, now_ms: int, began: float
    ) -> Choice:
        started = self._clocks.monotonic()
        latest = began + LAST_START * self._budget_s

        def is_late() -> bool:
            now = self._clocks.monotonic()
            return now > latest or now < self._slow_until.get(site.name, now)

        question = Question(
            asked.placement,
            asked.item_id,
            asked.category,
            asked.limit,
            self._purposes(site, profile, now_ms),
            site.offer_cap,
        )
        choice = decide(known, profile, question, _dial(site), self._rng, now_ms, is_late)
        ended = self._clocks.monotonic()
        if not choice.hurried and ended - started > self._budget_s:
            self._slow_until[site.name] = ended + SLOW_PAUSE_S
        return choice

    def _purposes(self, site: Site, profile: VisitorProfile | None, now_ms: int) -> Purposes:
        if profile is None:
            return NOT_KNOWN
        if profile.session is not None and now_ms - profile.session.ended_at > VISIT_OVER_MS:
            return NOT_KNOWN
        model = self._readiness.get(site.name) if self._readiness else None
        likely = assess(profile, now_ms, model).purposes
        return likely.inform, likely.browse, likely.buy

    def _decision(
        self, decision_id: str, asked: Asked, offers: list[Offer], fallback: Fallback | None, began: float,
        why: tuple[Insight, Choice] | None = None,
    ) -> Decision:  # fmt: skip
        took_s = self._clocks.monotonic() - began
        _counted[fallback or "none"].inc()
        OFFER_SECONDS.observe(took_s)
        took_ms = round(took_s * 1000, 2)
        if not asked.explain or why is None:
            return Decision(decision_id, asked.placement, offers, fallback, took_ms)
        told, left_out = explained(*why, offers)
        purposes = dict(zip(("inform", "browse", "buy"), why[1].situation.purposes, strict=True))
        return Decision(decision_id, asked.placement, told, fallback, took_ms, left_out, purposes)


def _dial(site: Site) -> Dial:
    return Dial(site.offer_value, site.offer_explore)
