"""One page of the shop: what every page shows, tells its dataLayer and asks of the beacon."""

from collections.abc import Callable, Iterable, Sequence
from urllib.parse import urlencode, urljoin

from flask import abort, current_app, render_template, request, session, url_for

from demo import basket
from demo.basket import Line
from demo.catalogue import BY_ID, CATEGORIES, CURRENCY, Product
from demo.data_layer import Push, as_ecommerce, as_gtag, item, money
from demo.editorial import AUTUMN

__all__ = ["held_cart", "items_of", "known", "list_push", "promotion_push", "show", "tell_on_next_page"]

_OFFERS_SHOWN = 4
_SAID_WITH_GTAG = frozenset({"login", "remove_from_cart", "generate_lead"})


def known(item_id: str) -> Product:
    """The product, or the page that says that there is none."""
    return BY_ID.get(item_id) or abort(404)


def held_cart() -> dict[str, int]:
    """What this shopper's cookie says is in the cart."""
    held: dict[str, int] = session.get("cart", {})
    return held


def items_of(held: Iterable[Line]) -> list[dict[str, object]]:
    """Lines as items of the dataLayer."""
    return [
        item(
            line,
            url_for("shop.product", item_id=line.product.item_id, _external=True),
            url_for("shop.picture", item_id=line.product.item_id, _external=True),
        )
        for line in held
    ]


def list_push(form: Callable[[str, dict[str, object]], Push], products: Sequence[Product], list_id: str) -> Push:
    """view_item_list of products in their order."""
    items = [{**entry, "index": at} for at, entry in enumerate(items_of(Line(product, 1) for product in products))]
    return form("view_item_list", {"item_list_id": list_id, "currency": CURRENCY, "items": items})


def promotion_push(form: Callable[[str, dict[str, object]], Push], slot: str) -> Push:
    """view_promotion of the season's banner in one place."""
    return form("view_promotion", AUTUMN.as_ga4(slot))


def tell_on_next_page(name: str, held: dict[str, int], more: dict[str, str | float] | None = None) -> None:
    """Keep a push for the page that the redirect leads to; ids only, for a cookie holds 4 KB."""
    session["pending"] = [*session.get("pending", []), [name, held, more or {}]]


def show(
    template: str,
    pushes: Iterable[Push] = (),
    listed: Sequence[Product] = (),
    slot: str | None = None,
    picks: Sequence[Product] = (),
    tells_cart: bool = False,
    **shown: object,
) -> str:
    """Render a page.

    listed: products whose cards tell select_item. slot: where the season's banner hangs, if it does.
    picks: what the offers strip shows of the shop's own while there are no offers. tells_cart: says what the cart holds.
    """
    told = [*_pending_pushes(), *pushes]
    held = held_cart()
    config = current_app.config
    asks = _asks_consent()
    return render_template(
        template,
        data=_page_data(told, [*listed, *picks], slot, asks)
        | ({"cart": items_of(basket.lines(held))} if tells_cart else {}),
        listed=listed,
        slot=slot,
        promotion=AUTUMN,
        picks=picks[:_OFFERS_SHOWN],
        offers_shown=_OFFERS_SHOWN,
        categories=CATEGORIES,
        faces={shelf.slug: BY_ID[shelf.face] for shelf in CATEGORIES},
        lines=basket.lines(held),
        total=basket.total(held),
        count=sum(held.values()),
        customer=session.get("customer"),
        site_key=config["SITE_KEY"],
        console_url=config["CONSOLE_URL"],
        script_url=config["SCRIPT_URL"],
        pixel_url=None if asks else _pixel_url(),
        asks_consent=asks,
        **shown,
    )


def _page_data(told: list[Push], listed: Sequence[Product], slot: str | None, asks: bool) -> dict[str, object]:
    """What shop.js reads; in JSON, because pages have no inline script."""
    return {
        "currency": CURRENCY,
        "pushes": told,
        "customer": session.get("customer"),
        "loggedOut": session.pop("logged_out", False),
        "listed": {entry["item_id"]: entry for entry in items_of(Line(each, 1) for each in listed)},
        "promotion": AUTUMN.as_ga4(slot) if slot else None,
        "consent": {"asked": asks, "anew": request.args.get("consent") == "ask"},
    }


def _pending_pushes() -> list[Push]:
    pushes = []
    for name, held, more in session.pop("pending", []):
        parameters = money(items_of(basket.lines(held)), basket.total(held)) if held else {}
        form = as_gtag if name in _SAID_WITH_GTAG else as_ecommerce
        pushes.append(form(name, {**parameters, **more}))
    return pushes


def _asks_consent() -> bool:
    """?consent=ask makes the shop ask before it observes, on all pages from then on; ?consent=off ends that."""
    wish = request.args.get("consent")
    if wish == "ask":
        session["asks_consent"] = True
    elif wish == "off":
        session.pop("asks_consent", None)
    return bool(session.get("asks_consent"))


def _pixel_url() -> str:
    """For browsers without script. A shop that asks first has no pixel, because a pixel cannot ask."""
    config = current_app.config
    seen = {"key": config["SITE_KEY"], "type": "page_view", "url": request.url[:2000]}
    return f"{urljoin(config['SCRIPT_URL'], '/o.gif')}?{urlencode(seen)}"
