"""How a simulated shopper answers offers: sees them, now and then clicks one, sometimes takes it. Chance is an argument."""

import random
from collections.abc import Mapping, MutableMapping, Sequence
from datetime import datetime
from typing import Final

from demo import paths
from demo.basket import Line, added
from demo.catalogue import BY_ID, Product
from demo.data_layer import item, money
from demo.people import Shopper
from demo.walks import Event, new_event

__all__ = ["CLICKS_OTHER", "CLICKS_TASTE", "TAKES_OFFER", "respond"]

CLICKS_TASTE: Final = 0.2  # a strip that shows something after the shopper's taste
CLICKS_OTHER: Final = 0.03
TAKES_OFFER: Final = 0.4  # of those who clicked


def respond(
    answer: Mapping[str, object],
    placement: str,
    shopper: Shopper,
    rng: random.Random,
    moment: datetime,
    cart: MutableMapping[str, int] | None = None,
) -> list[Event]:
    """Events that an answer of GET /v1/offers leads to: offer_shown, perhaps offer_clicked and a look at the product.

    cart: the shopper's, by item id; what was clicked may come into it. Without one nothing is taken.
    No events at all when there is no offer of a product of this shop.
    """
    offers = _known_offers(answer)
    if not offers:
        return []
    shown = [_response("offer_shown", answer, placement, group, rng, moment) for group in _by_response_code(offers)]
    liked = [offer for offer in offers if BY_ID[str(offer["item_id"])].category in shopper.tastes]
    if rng.random() >= (CLICKS_TASTE if liked else CLICKS_OTHER):
        return shown
    chosen = rng.choice(liked or offers)
    clicked = _response("offer_clicked", answer, placement, [chosen], rng, moment)
    product = BY_ID[str(chosen["item_id"])]
    after = _look_at(product, shopper, rng, moment)
    if cart is not None and rng.random() < TAKES_OFFER:
        cart.update(added(cart, product.item_id, 1))
        after.append(_about("add_to_cart", product, shopper, rng, moment))
    return [*shown, clicked, *after]


def _known_offers(answer: Mapping[str, object]) -> list[Mapping[str, object]]:
    offers = answer.get("offers")
    listed = offers if isinstance(offers, list) else []
    return [offer for offer in listed if isinstance(offer, Mapping) and offer.get("item_id") in BY_ID]


def _by_response_code(offers: Sequence[Mapping[str, object]]) -> list[list[Mapping[str, object]]]:
    """A response code is of a cell; a strip can hold offers of several, and each is shown under its own."""
    groups: dict[object, list[Mapping[str, object]]] = {}
    for offer in offers:
        groups.setdefault(offer.get("response_code"), []).append(offer)
    return list(groups.values())


def _response(
    kind: str,
    answer: Mapping[str, object],
    placement: str,
    offers: Sequence[Mapping[str, object]],
    rng: random.Random,
    moment: datetime,
) -> Event:
    return new_event(
        kind,
        moment,
        rng,
        decision_id=answer.get("decision_id"),
        response_code=offers[0].get("response_code"),
        placement=placement,
        items=[{"item_id": offer["item_id"], "item_name": BY_ID[str(offer["item_id"])].name} for offer in offers],
    )


def _look_at(product: Product, shopper: Shopper, rng: random.Random, moment: datetime) -> list[Event]:
    page_view = new_event("page_view", moment, rng, page=_page(product, shopper))
    return [page_view, _about("view_item", product, shopper, rng, moment)]


def _about(kind: str, product: Product, shopper: Shopper, rng: random.Random, moment: datetime) -> Event:
    page = _page(product, shopper)
    seen = item(Line(product, 1), page["url"], shopper.shop_url + paths.picture(product.item_id))
    return new_event(kind, moment, rng, page=page, **money([seen], product.price))


def _page(product: Product, shopper: Shopper) -> dict[str, str]:
    url = shopper.shop_url + paths.product(product.item_id)
    return {"url": url, "referrer": shopper.shop_url + paths.HOME, "title": product.name}
