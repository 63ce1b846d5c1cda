"""Readiness and purpose by rule: what is said until a shop has data enough for a model of its own. Pure.

Readiness. Of two shops' carts 8 to 29 % were bought; 79 to 89 % of those that were, within half an hour, half within five
minutes. So a full cart begins at 18 %, and odds fall with the idle time as 1 / (1 + idle / 5 min), which leaves 14 % of
them after half an hour. Of visits that saw products 2 % end in an order; who is known, searches, or looks at a product again
is likelier to buy.

Purpose, after W. W. Moe, Buying, Searching, or Browsing (Journal of Consumer Psychology 13, 2003): what people look at
tells the kinds of visits apart. `buy`: something was put in the cart or bought (directed buying), or an order is likely;
`browse`: products are looked at (her search and hedonic browsing); `inform`: pages that show none (knowledge building).
schema/queries/session_purpose.sql says the purpose of a session that is over in the same words, and a test holds them equal.
"""

from typing import Final, Literal, NamedTuple

from baliza.readiness.features import Features

__all__ = ["PURPOSES", "Purpose", "Purposes", "purpose_of", "purposes", "rules_probability"]

Purpose = Literal["inform", "browse", "buy", "unknown"]
PURPOSES: Final[tuple[Purpose, ...]] = ("inform", "browse", "buy", "unknown")

CART_ODDS: Final = 0.18 / 0.82
PRODUCT_ODDS: Final = 0.02 / 0.98
PAGE_ODDS: Final = 0.008 / 0.992
LIKELIER: Final = 1.5
KNOWN_LIKELIER: Final = 2.0
HALF_GONE_S: Final = 300.0
LOOKING, MOST_LOOKING = 0.3, 2.7  # odds grow with the product views as (1 + views)^0.3, up to this factor

# P(buy) by what was done: ordered, cart filled in this session, cart from before or emptied again.
ORDERED, CARTED, HALF_CARTED = 0.98, 0.75, 0.5
# Of those who mean to buy three in ten do, in this visit: so many carts are not abandoned, in the mean of published figures.
ORDERS_OF_BUYERS: Final = 0.3
SURE: Final = 0.55  # with less nothing is said
FEWEST_PAGES: Final = 2
ITEM_TELLS: Final = 2.0  # an item's view speaks more for browsing than a plain page for informing oneself


class Purposes(NamedTuple):
    """How likely each purpose is; together 1."""

    inform: float
    browse: float
    buy: float


def rules_probability(seen: Features) -> float:
    """P(an order comes in the rest of this session) without a model, in (0, 1)."""
    odds = CART_ODDS if seen.cart_pieces else PRODUCT_ODDS if seen.item_views else PAGE_ODDS
    if seen.known or seen.past_orders:
        odds *= KNOWN_LIKELIER
    if seen.most_looks >= 2:
        odds *= LIKELIER
    if seen.searched:
        odds *= LIKELIER
    if not seen.cart_pieces:
        odds *= min(MOST_LOOKING, (1 + seen.item_views) ** LOOKING)
    odds /= 1 + seen.idle_s / HALF_GONE_S
    return odds / (1 + odds)


def purposes(seen: Features, probability: float) -> Purposes:
    """How likely each purpose is. probability: of an order, by whatever model; it can only add to what was done."""
    buy = max(_done(seen), min(ORDERED, probability / ORDERS_OF_BUYERS))
    plain = max(0.0, seen.page_views - seen.item_views)
    browse = (1 + ITEM_TELLS * seen.item_views) / (2 + ITEM_TELLS * seen.item_views + plain)
    return Purposes((1 - buy) * (1 - browse), (1 - buy) * browse, buy)


def purpose_of(seen: Features, likely: Purposes) -> Purpose:
    """The purpose, if one of them is likely enough and there was more than a first page; else `unknown`."""
    if likely.buy >= SURE:
        return "buy"
    if max(seen.page_views, seen.item_views) < FEWEST_PAGES:
        return "unknown"
    if likely.browse >= SURE:
        return "browse"
    return "inform" if likely.inform >= SURE else "unknown"


def _done(seen: Features) -> float:
    if seen.orders:
        return ORDERED
    if seen.cart_adds and seen.cart_pieces:
        return CARTED
    return HALF_CARTED if seen.cart_adds or seen.cart_pieces else 0.0
