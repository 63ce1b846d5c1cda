"""The shop's cart and its till: putting in, taking out, checking out. Nothing is paid, and of forms nothing is kept."""

from decimal import Decimal

from flask import Blueprint, current_app, redirect, request, session, url_for
from werkzeug.wrappers import Response

from demo import basket, paths
from demo.catalogue import BY_ID
from demo.data_layer import as_ecommerce, as_gtag, money
from demo.page import held_cart, items_of, known, show, tell_on_next_page

__all__ = ["till"]

till = Blueprint("till", __name__)

_SMALL_THINGS = [BY_ID[item_id] for item_id in "BULB-1 BEANS-1 CANDLE-1 PENCIL-1 SPATULA-1 CABLE-1 SEEDS-1".split()]


@till.get(paths.CART)
def cart() -> str:
    """What is in the cart."""
    held = held_cart()
    pushes = [as_gtag("view_cart", money(items_of(basket.lines(held)), basket.total(held)))] if held else []
    return show(
        "cart.html", pushes, tells_cart=True, picks=[product for product in _SMALL_THINGS if product.item_id not in held]
    )


@till.post("/cart/add")
def add_to_cart() -> Response:
    """Put a product into the cart."""
    item_id = known(request.form.get("item_id", "")).item_id
    before = held_cart()
    after = basket.added(before, item_id, request.form.get("quantity", 1, type=int))
    session["cart"] = after
    session.permanent = True  # who comes back tomorrow finds it as it was
    if more := after[item_id] - before.get(item_id, 0):
        tell_on_next_page("add_to_cart", {item_id: more})
    return redirect(url_for("till.cart"), 303)


@till.post("/cart/remove")
def remove_from_cart() -> Response:
    """Take a product out of the cart, or as many of it as the form says."""
    item_id = request.form.get("item_id", "")
    held = held_cart()
    if item_id in held:
        less = min(held[item_id], max(1, request.form.get("quantity", held[item_id], type=int)))
        session["cart"] = basket.removed(held, item_id, less)
        tell_on_next_page("remove_from_cart", {item_id: less})
    return redirect(url_for("till.cart"), 303)


@till.get(paths.CHECKOUT)
def checkout() -> str | Response:
    """Ask where to send it and how."""
    held = held_cart()
    if not held:
        return redirect(url_for("till.cart"), 303)
    goods = basket.total(held)
    ordered = money(items_of(basket.lines(held)), goods)
    tiers = {tier: basket.shipping(tier, goods) for tier in basket.SHIPPING}
    return show("checkout.html", [as_ecommerce("begin_checkout", ordered)], ordered=ordered, tiers=tiers)


@till.post(paths.CHECKOUT)
def order() -> Response:
    """Take the order."""
    held = held_cart()
    if not held:
        return redirect(url_for("till.cart"), 303)
    order_id = current_app.config["NEW_ORDER_ID"]()
    shipping = basket.shipping(request.form.get("shipping", ""), basket.total(held))
    session["order"] = {"id": order_id, "lines": held, "shipping": str(shipping)}
    session.pop("cart")
    tell_on_next_page("purchase", held, {"transaction_id": order_id, "shipping": float(shipping)})
    return redirect(url_for("till.thanks"), 303)


@till.get(paths.THANKS)
def thanks() -> str | Response:
    """Say thank you for the last order."""
    last = session.get("order")
    if not last:
        return redirect(url_for("shop.home"), 303)
    bought, shipping = basket.lines(last["lines"]), Decimal(last["shipping"])
    paid = basket.total(last["lines"]) + shipping
    return show("thanks.html", order_id=last["id"], bought=bought, shipping=shipping, paid=paid)
