"""What shoppers read. In one place, because more languages come."""

from collections.abc import Mapping
from typing import Final

from personalizer.offers.situation import Reason

__all__ = ["OF_BOUGHT", "OF_CART", "REASONS", "reason_text"]

# With the name of the item that led to the offer, and without.
REASONS: Final[Mapping[Reason, tuple[str, str]]] = {
    Reason.NEXT_ITEM: ("Others who looked at {item} went on to this", "Others like you went on to this"),
    Reason.BOUGHT_TOGETHER: ("Often bought together with {item}", "Often bought together with what you chose"),
    Reason.VIEWED_TOGETHER: ("Others who looked at {item} also liked this", "Others like you also looked at this"),
    Reason.VIEWED_NOT_BOUGHT: ("You looked at this before", "You looked at this before"),
    Reason.ABANDONED_CART: ("Still in your cart", "Still in your cart"),
    Reason.REPLENISHMENT: ("Time for more? You bought this before", "Time for more? You bought this before"),
    Reason.CATEGORY_BEST_SELLER: ("A favourite of its kind", "A favourite of its kind"),
    Reason.BEST_SELLER: ("A favourite of our customers", "A favourite of our customers"),
    Reason.NEW_ARRIVAL: ("New in our shop", "New in our shop"),
    Reason.PROMOTION: ("On offer now", "On offer now"),
    Reason.EDITORIAL: ("Worth reading", "Worth reading"),
    Reason.SUBSCRIPTION: ("Have it come by itself", "Have it come by itself"),
}
# Of what goes together with something in the cart, or with something bought.
OF_CART: Final = ("Goes with {item} in your cart", "Goes with what is in your cart")
OF_BOUGHT: Final = ("Goes with {item}, which you bought", "Goes with what you bought")


def reason_text(reason: Reason, item: str = "", texts: tuple[str, str] | None = None) -> str:
    """A sentence for a shopper; `item` is the name of what led to the offer, empty when nothing with a name did.

    texts: instead of those of the reason.
    """
    named, plain = texts or REASONS[reason]
    # Not str.format: names come from outside.
    return named.replace("{item}", item) if item else plain
