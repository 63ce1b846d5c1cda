"""The answer: how ready is this visitor to buy, and what did they come for? Pure."""

from dataclasses import dataclass
from typing import Final

from baliza.readiness.features import Features, features_of
from baliza.readiness.model import Basis, ReadinessModel
from baliza.readiness.rules import Purpose, Purposes, purpose_of, purposes, rules_probability
from schema.profile import VisitorProfile

__all__ = ["NOTHING_KNOWN", "Readiness", "assess", "assess_features"]


@dataclass(frozen=True)
class Readiness:
    """What is expected of the rest of a session. probability: that an order comes; basis: who says so.

    purpose is "unknown" while it is open; `purposes` says how open.
    """

    probability: float
    basis: Basis
    purpose: Purpose
    purposes: Purposes


# Of somebody without a profile, or who gave no consent: as on a first page.
NOTHING_KNOWN: Final = Readiness(0.008, "rules", "unknown", Purposes(0.5, 0.5, 0.0))


def assess(profile: VisitorProfile | None, now_ms: int, model: ReadinessModel | None = None) -> Readiness:
    """Of the profile's session, now; by rules when there is no model. A session that is over counts as idle since then."""
    if profile is None or profile.session is None:
        return NOTHING_KNOWN
    return assess_features(features_of(profile, profile.session, now_ms), model)


def assess_features(seen: Features, model: ReadinessModel | None = None) -> Readiness:
    """The same of features that were made before."""
    probability = rules_probability(seen) if model is None else model.probability(seen)
    likely = purposes(seen, probability)
    return Readiness(probability, "rules" if model is None else "model", purpose_of(seen, likely), likely)
