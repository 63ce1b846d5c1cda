"""The demo shop: a small shop in plain HTML that embeds the beacon and shows offers."""

import hashlib
import secrets
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from urllib.parse import urljoin, urlsplit

from flask import Blueprint, Flask, Response, abort, current_app, redirect, render_template, request, session, url_for
from flask.json.provider import DefaultJSONProvider
from flask.sessions import SecureCookieSessionInterface
from werkzeug.wrappers import Response as AnyResponse

from demo import basket, paths
from demo.basket import Line
from demo.catalogue import BY_ID, CATEGORIES, CURRENCY, PRODUCTS, Product, search
from demo.data_layer import Push, as_ecommerce, as_gtag, item, money
from demo.pictures import draw

__all__ = ["create_app", "customer_id_of"]

_HOME_IDS = ("LAMP-1", "PHONE-1", "MOKA-1", "PACK-1", "PEN-1", "CUPS-1", "EARS-1", "NOTE-1")
_OFFERS_SHOWN = 4

_pages = Blueprint("shop", __name__)


class _MountedCookie(SecureCookieSessionInterface):
    """Keeps the shop's cookie under the path that the shop is mounted at, away from the beacon's requests."""

    def get_cookie_path(self, app: Flask) -> str:
        return request.script_root or super().get_cookie_path(app)


def random_order_id() -> str:
    """A new order number."""
    return f"T-{secrets.token_hex(5).upper()}"


def customer_id_of(email: str) -> str:
    """The customer's id in this shop: the same for the same address, however it is written; not the address."""
    return "c-" + hashlib.sha256(email.strip().lower().encode()).hexdigest()[:12]


def create_app(site_key: str, script_url: str = "/b.js", new_order_id: Callable[[], str] = random_order_id) -> Flask:
    """Build the shop; its routes are relative to wherever it is mounted.

    site_key: publishable key, goes into every page.
    script_url: where the beacon is; offers are asked for at the same origin.
    """
    app = Flask(__name__)
    # The cookie holds a cart and an id, nothing secret; derived from the site, so that every worker reads it.
    app.secret_key = hashlib.sha256(f"demo shop of {site_key}".encode()).digest()
    app.config.update(
        SITE_KEY=site_key,
        SCRIPT_URL=script_url,
        NEW_ORDER_ID=new_order_id,
        SESSION_COOKIE_NAME="demo_shop",
        SESSION_COOKIE_SAMESITE="Lax",
        CONTENT_POLICY=_content_policy(script_url),
    )
    app.session_interface = _MountedCookie()
    assert isinstance(app.json, DefaultJSONProvider)
    app.json.sort_keys = False  # the cookie keeps the cart in the order in which it was filled
    app.jinja_env.filters["euro"] = _euro
    app.register_blueprint(_pages)
    return app


def _content_policy(script_url: str) -> str:
    parts = urlsplit(script_url)
    beacon = f" {parts.scheme or 'https'}://{parts.netloc}" if parts.netloc else ""
    return f"default-src 'self'; script-src 'self'{beacon}; connect-src 'self'{beacon}; img-src 'self'{beacon}"


def _euro(amount: Decimal) -> str:
    return f"€{amount:,.2f}"


@_pages.after_app_request
def _forbid_inline_scripts(response: Response) -> Response:
    response.headers.setdefault("Content-Security-Policy", current_app.config["CONTENT_POLICY"])
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    return response


@_pages.app_errorhandler(404)
def _not_found(_error: Exception) -> tuple[str, int]:
    return _page("missing.html"), 404


@_pages.get(paths.HOME)
def home() -> str:
    """The shop window."""
    chosen = [BY_ID[item_id] for item_id in _HOME_IDS]
    return _page("home.html", _list_push(as_ecommerce, chosen, "home"), "home-hero", products=chosen)


@_pages.get("/c/<slug>")
def category(slug: str) -> str:
    """All products of one category."""
    shelf = next((shelf for shelf in CATEGORIES if shelf.slug == slug), None)
    if shelf is None:
        abort(404)
    found = [product for product in PRODUCTS if product.category == slug]
    push = _list_push(as_gtag, found, slug)
    return _page("list.html", push, products=found, heading=shelf.name, line=shelf.line, list_id=slug)


@_pages.get("/search")
def find() -> str:
    """The products that a term finds."""
    term = request.args.get("q", "").strip()[:100]
    found = search(term)
    pushes: list[Push] = [as_gtag("search", {"search_term": term, "results": len(found)})] if term else []
    pushes += _list_push(as_ecommerce, found, "search") if found else []
    line = f"{len(found)} found" if term else "Type a word above: lamp, coffee, backpack …"
    heading = f"“{term}”" if term else "Search"
    return _page("list.html", pushes, products=found, heading=heading, line=line, list_id="search", term=term)


@_pages.get("/p/<item_id>")
def product(item_id: str) -> str:
    """One product."""
    shown = _known(item_id)
    push = as_gtag("view_item", money(_items([Line(shown, 1)]), shown.price))
    along = [BY_ID[companion] for companion in shown.companions]
    return _page("product.html", [push], "product-detail", product=shown, along=along)


@_pages.get("/pictures/<item_id>.svg")
def picture(item_id: str) -> Response:
    """The picture of one product."""
    response = Response(draw(_known(item_id)), mimetype="image/svg+xml")
    response.cache_control.max_age = 3600
    return response


@_pages.get(paths.CART)
def cart() -> str:
    """What is in the cart."""
    held = _cart()
    pushes = [as_gtag("view_cart", money(_items(basket.lines(held)), basket.total(held)))] if held else []
    return _page("cart.html", pushes, "cart")


@_pages.post("/cart/add")
def add_to_cart() -> AnyResponse:
    """Put a product into the cart."""
    item_id = _known(request.form.get("item_id", "")).item_id
    quantity = min(basket.MAX_QUANTITY, max(1, request.form.get("quantity", 1, type=int)))
    session["cart"] = basket.added(_cart(), item_id, quantity)
    _tell_on_next_page("add_to_cart", {item_id: quantity})
    return redirect(url_for("shop.cart"), 303)


@_pages.post("/cart/remove")
def remove_from_cart() -> AnyResponse:
    """Take a product out of the cart."""
    item_id = request.form.get("item_id", "")
    held = _cart()
    if item_id in held:
        session["cart"] = basket.removed(held, item_id)
        _tell_on_next_page("remove_from_cart", {item_id: held[item_id]})
    return redirect(url_for("shop.cart"), 303)


@_pages.get(paths.CHECKOUT)
def checkout() -> str | AnyResponse:
    """Ask where to send it."""
    held = _cart()
    if not held:
        return redirect(url_for("shop.cart"), 303)
    push = as_ecommerce("begin_checkout", money(_items(basket.lines(held)), basket.total(held)))
    return _page("checkout.html", [push])


@_pages.post(paths.CHECKOUT)
def order() -> AnyResponse:
    """Take the order. Nothing is paid, and of the form nothing is kept."""
    held = _cart()
    if not held:
        return redirect(url_for("shop.cart"), 303)
    order_id = current_app.config["NEW_ORDER_ID"]()
    session["order"] = {"id": order_id, "lines": held}
    session.pop("cart")
    _tell_on_next_page("purchase", held, {"transaction_id": order_id})
    return redirect(url_for("shop.thanks"), 303)


@_pages.get(paths.THANKS)
def thanks() -> str | AnyResponse:
    """Say thank you for the last order."""
    last = session.get("order")
    if not last:
        return redirect(url_for("shop.home"), 303)
    return _page("thanks.html", order_id=last["id"], bought=basket.lines(last["lines"]))


@_pages.get(paths.LOGIN)
def login_form() -> str:
    """Ask who it is."""
    return _page("login.html")


@_pages.post(paths.LOGIN)
def login() -> AnyResponse:
    """Know the customer from now on; any address will do."""
    email = request.form.get("email", "")
    if "@" not in email:
        return redirect(url_for("shop.login_form"), 303)
    session["customer"] = customer_id_of(email)
    _tell_on_next_page("login", {}, {"method": "email", "user_id": session["customer"]})
    return redirect(url_for("shop.home"), 303)


@_pages.post("/logout")
def logout() -> AnyResponse:
    """Forget the customer; the cart stays."""
    session.pop("customer", None)
    session["logged_out"] = True
    return redirect(url_for("shop.home"), 303)


def _known(item_id: str) -> Product:
    return BY_ID.get(item_id) or abort(404)


def _cart() -> dict[str, int]:
    held: dict[str, int] = session.get("cart", {})
    return held


def _items(held: Iterable[Line]) -> list[dict[str, object]]:
    return [
        item(
            line,
            url_for("shop.product", item_id=line.product.item_id, _external=True),
            url_for("shop.picture", item_id=line.product.item_id, _external=True),
        )
        for line in held
    ]


def _list_push(form: Callable[[str, dict[str, object]], Push], products: list[Product], list_id: str) -> list[Push]:
    items = [{**entry, "index": at} for at, entry in enumerate(_items(Line(product, 1) for product in products))]
    return [form("view_item_list", {"item_list_id": list_id, "currency": CURRENCY, "items": items})]


def _tell_on_next_page(name: str, held: dict[str, int], more: dict[str, str] | None = None) -> None:
    """Keep a push for the page that the redirect leads to; ids only, for a cookie holds 4 KB."""
    session["pending"] = [*session.get("pending", []), [name, held, more or {}]]


def _pending_pushes() -> list[Push]:
    pushes = []
    for name, held, more in session.pop("pending", []):
        parameters = money(_items(basket.lines(held)), basket.total(held)) if held else {}
        form = as_gtag if name in {"login", "remove_from_cart"} else as_ecommerce
        pushes.append(form(name, {**parameters, **more}))
    return pushes


def _page(
    template: str,
    pushes: Iterable[Push] = (),
    placement: str | None = None,
    products: Sequence[Product] = (),
    **shown: object,
) -> str:
    pending = _pending_pushes()
    config = current_app.config
    item_id = request.view_args.get("item_id") if request.view_args else None
    data = {
        "siteKey": config["SITE_KEY"],
        "currency": CURRENCY,
        "pushes": [*pending, *pushes],
        "customer": session.get("customer"),
        "loggedOut": session.pop("logged_out", False),
        "listed": {entry["item_id"]: entry for entry in _items(Line(each, 1) for each in products)},
        "offers": {
            "url": urljoin(config["SCRIPT_URL"], "/v1/offers"),
            "placement": placement,
            "itemId": item_id,
            "limit": _OFFERS_SHOWN,
        },
    }
    held = _cart()
    return render_template(
        template,
        data=data,
        placement=placement,
        products=products,
        categories=CATEGORIES,
        lines=basket.lines(held),
        total=basket.total(held),
        count=sum(held.values()),
        customer=session.get("customer"),
        site_key=config["SITE_KEY"],
        script_url=config["SCRIPT_URL"],
        **shown,
    )
