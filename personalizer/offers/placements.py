"""What a placement is for, by the first word of its name: which sources may speak there, and how loudly. Pure.

`home-hero` and `home` follow the rules of `home`; a name that begins with no known word follows those of `default`.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from msgspec import Struct

from personalizer.offers.situation import Reason

__all__ = ["BUY", "INFORM", "PLACEMENTS", "Rules", "rules_of"]


class Rules(Struct, frozen=True):
    """never: sources that have no business here. to_buy: people are here to buy, whatever else they do."""

    never: frozenset[Reason] = frozenset()
    to_buy: bool = False


_READING: Final = frozenset({Reason.EDITORIAL})
_CART: Final = frozenset({Reason.ABANDONED_CART})
# People come to these with nothing in hand: what they left behind is welcome there, and only there.
_ENTRANCE: Final = Rules()
_INSIDE: Final = Rules(_CART)
PLACEMENTS: Final[Mapping[str, Rules]] = {
    "home": _ENTRANCE,
    "landing": _ENTRANCE,
    "account": _ENTRANCE,
    "email": _ENTRANCE,
    "default": _INSIDE,
    "category": _INSIDE,
    "search": _INSIDE,
    "product": _INSIDE,
    # Whoever is at the till must not be led away from it: no reading, and nothing looked at before that was left there.
    "cart": Rules(_CART | _READING, to_buy=True),
    "checkout": Rules(_CART | _READING | {Reason.VIEWED_NOT_BOUGHT, Reason.NEW_ARRIVAL}, to_buy=True),
    "thanks": Rules(_CART),
}
# How much louder a source speaks to a visitor of this purpose than to one who browses. Somebody about to buy wants what
# completes the purchase, somebody who is informing themselves wants alternatives and something to read.
BUY: Final[Mapping[Reason, float]] = {
    Reason.BOUGHT_TOGETHER: 2.0,
    Reason.REPLENISHMENT: 1.5,
    Reason.VIEWED_TOGETHER: 0.4,
    Reason.NEXT_ITEM: 0.6,
    Reason.NEW_ARRIVAL: 0.5,
    Reason.EDITORIAL: 0.2,
}
INFORM: Final[Mapping[Reason, float]] = {
    Reason.BOUGHT_TOGETHER: 0.35,
    Reason.VIEWED_TOGETHER: 1.5,
    Reason.NEXT_ITEM: 1.3,
    Reason.EDITORIAL: 2.0,
}


@lru_cache(1000)
def rules_of(placement: str) -> Rules:
    """The rules of the placement's first word."""
    return PLACEMENTS.get(placement.partition("-")[0], _INSIDE)
