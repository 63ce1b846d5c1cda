"""Decisions as serving would log them."""

from typing import Any

from personalizer.feedback.record import DecisionRecord, LoggedOffer


def logged_offer(item_id: str, rank: int = 1, **given: Any) -> LoggedOffer:
    usual: dict[str, Any] = {
        "score": 0.5,
        "source": "together",
        "reason": "bought_together",
        "response_code": "cart.together",
    }
    return LoggedOffer(item_id=item_id, rank=rank, **(usual | given))


def decision(decision_id: str, items: str = "bulb", **given: Any) -> DecisionRecord:
    """A decision of the site demo for v-1 at the placement `cart`; `items` in the order of their ranks."""
    offers = tuple(logged_offer(item, rank) for rank, item in enumerate(items.split(), start=1))
    usual: dict[str, Any] = {
        "site": "demo", "decided_at_ms": 1_763_700_000_000, "visitor_id": "v-1", "placement": "cart", "offers": offers,
    }  # fmt: skip
    return DecisionRecord(decision_id=decision_id, **(usual | given))
