"""The demo shop: a small shop in plain HTML that embeds the beacon and shows offers."""

import hashlib
import secrets
from collections.abc import Callable
from decimal import Decimal
from urllib.parse import urlsplit

from flask import Blueprint, Flask, Response, abort, current_app, redirect, request, session, url_for
from flask.json.provider import DefaultJSONProvider
from flask.sessions import SecureCookieSessionInterface
from werkzeug.wrappers import Response as AnyResponse

from demo import paths
from demo.basket import Line
from demo.catalogue import BY_ID, CATEGORIES, SHELVES, search
from demo.data_layer import Push, as_ecommerce, as_gtag, money
from demo.editorial import ADS, AUTUMN, STORIES
from demo.feed import google_feed
from demo.page import items_of, known, list_push, promotion_push, show, tell_on_next_page
from demo.pictures import draw
from demo.seen import SessionOf, nobody, seen
from demo.structured import product_markup
from demo.till import till

__all__ = ["create_app", "customer_id_of"]

_WINDOW = [BY_ID[item_id] for item_id in "LAMP-1 PAN-1 THROW-1 PACK-1 PEN-1 CUPS-1 EARS-1 TABLE-1".split()]
_HOUSE_FAVOURITES = [BY_ID[item_id] for item_id in "LAMP-4 BEANS-1 VASE-1 NOTE-1".split()]

_SHELF = {shelf.slug: shelf for shelf in CATEGORIES}

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


def create_app(
    site_key: str,
    script_url: str = "/b.js",
    new_order_id: Callable[[], str] = random_order_id,
    session_of: SessionOf = nobody,
    console_url: str = "",
) -> Flask:
    """Build the shop; its routes are relative to wherever it is mounted.

    site_key: publishable key, goes into every page.
    script_url: where the beacon is; offers are asked for at the same origin.
    session_of: what is known of a visitor, for the page that shows it. console_url: where to read on; empty: nowhere.
    """
    app = Flask(__name__)
    # The cookie holds a cart and an id, nothing secret; derived from the site, so that every worker reads it.
    app.secret_key = hashlib.sha256(f"demo shop of {site_key}".encode()).digest()
    app.config.update(
        SITE_KEY=site_key,
        SCRIPT_URL=script_url,
        NEW_ORDER_ID=new_order_id,
        SESSION_OF=session_of,
        CONSOLE_URL=console_url,
        SESSION_COOKIE_NAME="demo_shop",
        SESSION_COOKIE_SAMESITE="Lax",
        # Else a picture that comes late brings back the cart as it was when it was asked for.
        SESSION_REFRESH_EACH_REQUEST=False,
        CONTENT_POLICY=_content_policy(script_url),
    )
    app.session_interface = _MountedCookie()
    assert isinstance(app.json, DefaultJSONProvider)
    app.json.sort_keys = False  # the cookie keeps the cart in the order in which it was filled
    app.jinja_env.filters["euro"] = _euro
    app.register_blueprint(_pages)
    app.register_blueprint(till)
    app.register_blueprint(seen)
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
    return show("missing.html"), 404


@_pages.get(paths.HOME)
def home() -> str:
    """The shop window."""
    pushes = [promotion_push(as_ecommerce, "home-hero"), list_push(as_ecommerce, _WINDOW, "home")]
    return show("home.html", pushes, _WINDOW, "home-hero", _HOUSE_FAVOURITES, stories=STORIES.values())


@_pages.get("/c/<slug>")
def category(slug: str) -> str:
    """All products of one category, or those of one brand in it."""
    shelf = _SHELF.get(slug) or abort(404)
    stock, brands = SHELVES[slug], sorted({product.brand for product in SHELVES[slug]})
    brand = request.args.get("brand", "")
    brand = brand if brand in brands else ""
    found = [product for product in stock if brand in ("", product.brand)]
    slot = None if slug == AUTUMN.category else "category-top"  # no banner leads to its own page
    pushes = [promotion_push(as_gtag, slot)] if slot else []
    pushes.append(list_push(as_gtag, found, slug))
    return show("category.html", pushes, stock, slot, shelf=shelf, brands=brands, brand=brand, found=found, ad=ADS.get(slug))


@_pages.get("/search")
def find() -> str:
    """The products that a term finds."""
    term = request.args.get("q", "").strip()[:100]
    found = search(term)
    pushes: list[Push] = [as_gtag("search", {"search_term": term, "results": len(found)})] if term else []
    pushes += [list_push(as_ecommerce, found, "search")] if found else []
    return show("search.html", pushes, found, picks=[] if found else _WINDOW, term=term)


@_pages.get("/p/<item_id>")
def product(item_id: str) -> str:
    """One product."""
    shown = known(item_id)
    (entry,) = items_of([Line(shown, 1)])
    markup = product_markup(shown, str(entry["url"]), str(entry["image"]))
    along = [BY_ID[companion] for companion in shown.companions]
    beside = [other for other in SHELVES[shown.category] if other != shown and other not in along]
    told_by = _SHELF[shown.category].told_by
    pushes = [as_gtag("view_item", money([entry], shown.price))] if told_by == "data_layer" else []
    return show("product.html", pushes, along, picks=beside, product=shown, along=along, markup=markup, told_by=told_by)


@_pages.get("/stories/<slug>")
def story(slug: str) -> str:
    """Something to read, and the products that it is about."""
    told = STORIES.get(slug) or abort(404)
    about = [BY_ID[item_id] for item_id in told.item_ids]
    return show("story.html", [list_push(as_ecommerce, about, f"story-{slug}")], about, story=told)


@_pages.get("/pictures/<item_id>.svg")
def picture(item_id: str) -> Response:
    """The picture of one product."""
    response = Response(draw(known(item_id)), mimetype="image/svg+xml")
    response.cache_control.max_age = 3600
    return response


@_pages.get(paths.FEED)
def feed() -> Response:
    """The product feed, as other shops have one for search engines. It says what things cost the shop: it is a demo."""
    return Response(google_feed(request.root_url.rstrip("/")), mimetype="application/xml")


@_pages.post("/letter")
def letter() -> AnyResponse:
    """Take a reader for the shop's letter; the address is not kept."""
    if "@" in request.form.get("email", ""):
        tell_on_next_page("generate_lead", {}, {"lead_source": "letter"})
        session["reads_letter"] = True
    return redirect(url_for("shop.home", _anchor="letter"), 303)


@_pages.get(paths.LOGIN)
def login_form() -> str:
    """Ask who it is."""
    return show("login.html")


@_pages.post(paths.LOGIN)
def login() -> AnyResponse:
    """Know the customer from now on; any address will do."""
    email = request.form.get("email", "")
    if "@" not in email:
        return redirect(url_for("shop.login_form"), 303)
    session["customer"] = customer_id_of(email)
    tell_on_next_page("login", {}, {"method": "email", "user_id": session["customer"]})
    return redirect(url_for("shop.home"), 303)


@_pages.post("/logout")
def logout() -> AnyResponse:
    """Forget the customer; the cart stays."""
    session.pop("customer", None)
    session["logged_out"] = True
    return redirect(url_for("shop.home"), 303)
