"""What shoppers read. In one place, because more languages come."""

from collections.abc import Mapping
from typing import Final

from personalizer.situation import Reason

__all__ = ["REASONS", "reason_text"]

# With the name of the item that led to the offer, and without.
REASONS: Final[Mapping[Reason, tuple[str, str]]] = {
    Reason.BOUGHT_TOGETHER: ("Often bought together with {item}", "Often bought together with what you chose"),
    Reason.VIEWED_TOGETHER: ("Others who looked at {item} also liked this", "Others like you also looked at this"),
    Reason.VIEWED_NOT_BOUGHT: ("You looked at this before", "You looked at this before"),
    Reason.BEST_SELLER: ("A favourite of our customers", "A favourite of our customers"),
}


def reason_text(reason: Reason, item: str = "") -> str:
    """A sentence for a shopper; `item` is the name of what led to the offer, empty when nothing with a name did."""
    named, plain = REASONS[reason]
    # Not str.format: names come from outside.
    return named.replace("{item}", item) if item else plain
