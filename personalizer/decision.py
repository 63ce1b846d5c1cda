"""The decision: candidates → eligible → ranked → answer. Pure.

A source is asked in the order of SOURCES and what an earlier one offers stands before what a later one does.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Final, Literal

from msgspec import Struct

from personalizer.candidates.sellers import best_sellers
from personalizer.candidates.together import together
from personalizer.candidates.viewed import viewed_not_bought
from personalizer.models.model import UNKNOWN, Model
from personalizer.situation import Candidate, Situation, situate
from personalizer.strings import reason_text
from schema.profile import VisitorProfile

__all__ = ["SOURCES", "Decision", "Fallback", "Offer", "answer", "candidates", "decide", "eligible", "excluded", "ranked"]

Fallback = Literal["no_model", "no_profile", "store_down"]
Source = Callable[[Model, Situation, int], Sequence[Candidate]]
SOURCES: Final[Sequence[Source]] = (together, viewed_not_bought, best_sellers)


class Offer(Struct, frozen=True):
    """One thing to show. `price` is a decimal in major units, null when nobody said one; texts are empty when unknown."""

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


class Decision(Struct, frozen=True):
    """One answer of the personalizer. `fallback`: what was missing, null when nothing was. took_ms: with reading."""

    decision_id: str
    placement: str
    offers: list[Offer]
    fallback: Fallback | None
    took_ms: float


def decide(
    model: Model, profile: VisitorProfile | None, placement: str, item_id: str | None, limit: int, now_ms: int
) -> list[Offer]:
    """The best `limit` offers for this visitor at this placement."""
    situation = situate(model, profile, placement, item_id, now_ms)
    barred = excluded(situation)
    # Each source gives as many as could be needed if all that is barred were among them.
    found = candidates(model, situation, limit + len(barred), SOURCES)
    return answer(model, ranked(eligible(found, barred), limit), placement)


def candidates(model: Model, situation: Situation, most: int, sources: Iterable[Source]) -> Iterator[Candidate]:
    """What the sources offer, one source after the other; the later ones are not asked before they are needed."""
    for source in sources:
        yield from source(model, situation, most)


def excluded(situation: Situation) -> frozenset[int]:
    """Items not to offer: in the cart, bought lately, on the page."""
    return frozenset((*situation.cart, *situation.bought, situation.page_item)) - {UNKNOWN}


def eligible(found: Iterable[Candidate], barred: frozenset[int]) -> Iterator[Candidate]:
    """Those that may be offered, each item once, by the first source that has it."""
    taken = set(barred)
    for candidate in found:
        if candidate.item not in taken:
            taken.add(candidate.item)
            yield candidate


def ranked(found: Iterable[Candidate], limit: int) -> list[Candidate]:
    """The first `limit`; sources come in the order of their rank and give their best first."""
    chosen: list[Candidate] = []
    for candidate in found:
        chosen.append(candidate)
        if len(chosen) == limit:
            break
    return chosen


def answer(model: Model, chosen: Sequence[Candidate], placement: str) -> list[Offer]:
    """The offers as the shop gets them."""
    return [_offer(model, candidate, rank, placement) for rank, candidate in enumerate(chosen, start=1)]


def _offer(model: Model, candidate: Candidate, rank: int, placement: str) -> Offer:
    facts = model.facts(candidate.item)
    because = "" if candidate.because == UNKNOWN else model.facts(candidate.because).name
    return Offer(
        rank=rank,
        item_id=facts.item_id,
        title=facts.title,
        url=facts.url,
        image=facts.image,
        price=facts.price,
        currency=facts.currency,
        score=round(min(1.0, max(0.0, candidate.score)), 4),
        reason=candidate.reason.value,
        reason_text=reason_text(candidate.reason, because),
        response_code=f"{placement}.{candidate.reason.value}",
    )
