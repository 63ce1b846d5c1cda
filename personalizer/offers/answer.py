"""The answer: a decision as the shop gets it, as `explain` tells it, and as it is written down. Pure."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Final, Literal

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from personalizer.feedback.record import NOT_KNOWN, DecisionRecord, LoggedOffer
from personalizer.models.model import UNKNOWN
from personalizer.offers.decision import Choice, Chosen
from personalizer.offers.insight import Insight
from personalizer.offers.placements import rules_of
from personalizer.offers.ranking import heard, loudness
from personalizer.offers.situation import Reason, Situation
from personalizer.offers.strings import OF_BOUGHT, OF_CART, reason_text

__all__ = [
    "VALID_S",
    "Decision",
    "Explanation",
    "Fallback",
    "LeftOut",
    "Offer",
    "Said",
    "explained",
    "offers_of",
    "record_of",
]

Fallback = Literal["no_model", "no_profile", "store_down", "too_slow"]
VALID_S: Final = 1800  # an offer that was decided half an hour ago was decided for another moment


class Said(Struct, frozen=True):
    """What one source said. strength in [0, 1]; p: P(response) by it alone."""

    source: str
    strength: float
    p: float


class Explanation(Struct, frozen=True):
    """Why an offer stands where it does. p: P(response). value: in major units; worth: in typical values, held within
    bounds; expected: what it was ranked by. tried: it was drawn to learn about it."""

    sources: list[Said]
    p: float
    value: float | None
    worth: float
    expected: float
    propensity: float
    tried: bool


class Offer(Struct, frozen=True):
    """One thing to show. `price` is a decimal in major units, null when nobody said one; texts are empty when unknown.

    score: P(response), in [0, 1]. expires_at: after it ask again, ISO 8601.
    """

    rank: int
    item_id: str
    title: str
    url: str
    image: str
    price: Decimal | None
    currency: str
    score: float
    reason: str
    reason_text: str
    response_code: str
    expires_at: str
    explain: Explanation | UnsetType = UNSET


class LeftOut(Struct, frozen=True):
    """A candidate that is not offered, and the rule that says so."""

    item_id: str
    rule: str


class Decision(Struct, frozen=True):
    """One answer of the personalizer. `fallback`: what was missing, null when nothing was. took_ms: with reading."""

    decision_id: str
    placement: str
    offers: list[Offer]
    fallback: Fallback | None
    took_ms: float
    left_out: list[LeftOut] | UnsetType = UNSET
    purposes: Mapping[str, float] | UnsetType = UNSET


def offers_of(known: Insight, choice: Choice, now_ms: int) -> list[Offer]:
    """The offers as the shop gets them."""
    situation, now_s = choice.situation, now_ms // 1000
    usual = _instant(now_s + VALID_S)
    found = []
    for rank, chosen in enumerate(choice.chosen, start=1):
        ranked, facts = chosen.ranked, chosen.facts
        expires_ms = facts.expires_ms
        early = expires_ms is not None and expires_ms < (now_s + VALID_S) * 1000
        found.append(
            Offer(
                rank,
                facts.item_id,
                facts.title,
                facts.url,
                facts.image,
                facts.price,
                facts.currency,
                round(ranked.p, 4),
                ranked.reason.value,
                _text(known, situation, ranked.reason, ranked.because),
                f"{situation.placement}.{ranked.reason.value}",
                _instant((expires_ms or 0) // 1000) if early else usual,
            )
        )
    return found


@lru_cache(1000)
def _instant(unix_s: int) -> str:
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _text(known: Insight, situation: Situation, reason: Reason, because: int) -> str:
    texts = None
    if because != situation.page_item and reason is Reason.BOUGHT_TOGETHER:
        texts = OF_CART if because in situation.cart else OF_BOUGHT if because in situation.bought else None
    name = "" if because == UNKNOWN else known.facts(because).name
    return reason_text(reason, name, texts)


def explained(known: Insight, choice: Choice, offers: Sequence[Offer]) -> tuple[list[Offer], list[LeftOut]]:
    """The same offers, each with why it stands there; and what was left out, with the rule."""
    placement = choice.situation.placement
    loud = loudness(known.rates(placement), rules_of(placement), choice.situation)
    said: dict[int, list[Said]] = {}
    for group in choice.found:
        alone = heard(group, loud, lambda p_next: known.curve(placement, p_next))
        for item, strength, p in zip(group.items, group.strengths, alone, strict=True):
            said.setdefault(item, []).append(Said(group.reason.value, round(strength, 4), round(p, 5)))
    told_offers = [
        replace(offer, explain=_explanation(known, said, chosen))
        for offer, chosen in zip(offers, choice.chosen, strict=True)
    ]
    return told_offers, [LeftOut(known.model.facts(item).item_id, bar) for item, bar in choice.left_out.items()]


def _explanation(known: Insight, said: Mapping[int, list[Said]], chosen: Chosen) -> Explanation:
    ranked = chosen.ranked
    value = float(known.wares.value[ranked.item])
    return Explanation(
        sources=sorted(said[ranked.item], key=lambda one: -one.p),
        p=round(ranked.p, 5),
        value=round(value, 2) if value == value else None,
        worth=round(ranked.worth, 4),
        expected=round(ranked.score, 5),
        propensity=round(chosen.propensity, 6),
        tried=chosen.tried,
    )


def record_of(
    known: Insight, choice: Choice, offers: Sequence[Offer], site: str, decision_id: str, visitor_id: str,
    session_id: str, fallback: str, now_ms: int,
) -> DecisionRecord:  # fmt: skip
    """What is written down, so that responses can be learned from."""
    next_item: dict[int, float] = {}
    for group in choice.found:
        if group.reason is Reason.NEXT_ITEM:
            next_item.update(zip(group.items, group.strengths, strict=True))
    values: list[float] = [float(known.wares.value[chosen.ranked.item]) for chosen in choice.chosen]
    logged = tuple(
        [
            LoggedOffer(
                item_id=offer.item_id,
                rank=offer.rank,
                score=chosen.ranked.score,
                source=offer.reason,
                reason=offer.reason,
                response_code=offer.response_code,
                propensity=chosen.propensity,
                p_next=next_item.get(chosen.ranked.item, NOT_KNOWN),
                p_response=chosen.ranked.p,
                value=value,
            )
            for offer, chosen, value in zip(offers, choice.chosen, values, strict=True)
        ]
    )
    return DecisionRecord(
        site=site,
        decision_id=decision_id,
        decided_at_ms=now_ms,
        visitor_id=visitor_id,
        placement=choice.situation.placement,
        offers=logged,
        session_id=session_id,
        model=known.model.version,
        fallback=fallback,
        explored=any(chosen.tried for chosen in choice.chosen),
    )
