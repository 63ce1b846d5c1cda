"""/login and /logout: a name, a password, few tries, and a cookie that scripts cannot read."""

from typing import Final

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as Answer

from baliza.sites import check_user
from baliza.stores import RedisClient, call
from console.access import check_form, current_user, form_token, log_in, log_out
from console.strings import text
from console.throttle import forget_tries, seconds_to_wait

__all__ = ["local_path", "login_routes"]

HOME: Final = "/"


def login_routes(redis: RedisClient) -> Blueprint:
    """The blueprint of /login and /logout."""
    routes = Blueprint("login", __name__)

    @routes.get("/login")
    def show() -> Answer:
        if current_user(redis):
            return redirect(local_path(request.args.get("next", "")))
        return _form(200, "")

    @routes.post("/login")
    def enter() -> Answer:
        check_form()
        name, address = request.form.get("name", "").strip(), request.remote_addr or ""
        wait_s = seconds_to_wait(redis, name, address)
        if wait_s:
            return _form(429, text("login.wait", seconds=wait_s), {"Retry-After": str(wait_s)})
        user = call(lambda: check_user(redis, name, request.form.get("password", "")))
        if user is None:
            return _form(401, text("login.wrong"))
        forget_tries(redis, name, address)
        log_in(user)
        return redirect(local_path(request.form.get("next", "")), 303)

    @routes.post("/logout")
    def leave() -> Answer:
        check_form()
        log_out()
        return redirect(url_for("login.show"), 303)

    return routes


def local_path(wanted: str) -> str:
    """Where to go after log-in: a path of this console, never another host's address."""
    strange = any(ord(character) < 33 or character == "\\" for character in wanted)
    return wanted if wanted.startswith("/") and not wanted.startswith("//") and not strange else HOME


def _form(status: int, wrong: str, headers: dict[str, str] | None = None) -> Response:
    page = render_template(
        "login.html",
        wrong=wrong,
        name=request.form.get("name", ""),
        next=local_path(request.values.get("next", "")),
        form_token=form_token(),
    )
    return make_response(page, status, headers or {})
