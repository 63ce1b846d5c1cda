"""A person walks through the demo shop in a real browser; the session, the offers and the console follow."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.whole.conftest import Running

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

LOOKED_AT = ("LAMP-1", "BULB-1", "NOTE-1")


def eventually(read: Callable[[], Any], within_s: float = 15.0) -> Any:
    """What `read` answers, as soon as it is not None or False."""
    deadline = time.monotonic() + within_s
    while True:
        found = read()
        if found or time.monotonic() > deadline:
            return found
        time.sleep(0.1)


def test_says_where_to_look_and_what_to_copy(running: Running) -> None:
    for line in (f"{running.public}/shop/", f"{running.private}/", "demo-demo", "/v1/offers?", "/v1/carts/abandoned"):
        assert line in running.output


def test_a_visit_in_a_browser_is_remembered_offered_to_and_reported(running: Running, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(f"{running.public}/shop/?utm_source=News&utm_medium=email&utm_campaign=autumn")
    for item_id in LOOKED_AT:
        page.goto(f"{running.public}/shop/p/{item_id}")
    page.click("text=Add to cart")
    page.wait_for_load_state()
    visitor = page.evaluate("localStorage.getItem('bz_v')")
    visitor = visitor.strip('"')

    with running.shop_server() as server:

        def current() -> Any:
            answer = server.get("/v1/sessions/current", params={"visitor": visitor})
            session = answer.json()
            return session if answer.status_code == 200 and session["cart"]["pieces"] else None

        session = eventually(current)
        assert session, "the cart did not arrive in the live session"
        assert [item["item_id"] for item in session["viewed"]] == list(reversed(LOOKED_AT))
        assert [(line["item_id"], line["quantity"]) for line in session["cart"]["lines"]] == [(LOOKED_AT[-1], 1)]
        assert (session["who"], session["source"], session["medium"], session["campaign"]) == (
            "anonymous", "news", "email", "autumn",
        )  # fmt: skip
        assert session["landing_path"] == "/shop/"
        assert session["live"] is True

        asked = {"visitor": visitor, "placement": "cart", "limit": 5}

        def offered() -> Any:
            found = server.get("/v1/offers", params=asked).json()
            return found if found["offers"] else None

        offers = eventually(offered)
        assert offers, "no offers although there is history"
        assert LOOKED_AT[-1] not in {offer["item_id"] for offer in offers["offers"]}
        assert offers["decision_id"]

    with running.marketer() as marketer:

        def reported() -> Any:
            rows = marketer.get("/v1/reports/sessions", params={"period": "today", "limit": 1000}).json()["sessions"]
            return [row for row in rows if row["visitor_id"] == visitor and row["cart_adds"]]

        (row,) = eventually(reported)
        assert (row["session_id"], row["source"], row["item_views"]) == (session["session_id"], "news", len(LOOKED_AT))

    page.goto(f"{running.private}/")
    page.fill("input[name=name]", "demo")
    page.fill("input[name=password]", "demo-demo")
    page.click("button.primary")
    page.goto(f"{running.private}/sessions/{session['session_id']}")
    story = page.inner_text("body")
    for item_id in LOOKED_AT:
        assert item_id in story or item_id.title() in story
    page.close()


def test_shop_shows_visitors_what_was_seen_of_them(running: Running, browser: Browser) -> None:
    page = browser.new_page()
    # The first tells of itself by JSON-LD alone, the second by microdata.
    for item_id in ("VASE-1", "POT-1"):
        with page.expect_request(lambda request: '"view_item"' in (request.post_data or "")):
            page.goto(f"{running.public}/shop/p/{item_id}")
    page.goto(f"{running.public}/shop/seen")

    def shown() -> bool:
        page.reload()
        seen = page.inner_text("main")
        return "Vase Ola" in seen and "Terracotta pot, 22 cm" in seen

    assert eventually(shown)
    href = page.get_attribute("a:has-text('Read the whole story')", "href")
    page.close()
    assert href
    session_id = href.removeprefix(f"{running.private}/sessions/")
    with running.marketer() as marketer:

        def reported() -> Any:
            answer = marketer.get(f"/v1/reports/sessions/{session_id}")
            told = answer.json().get("events", []) if answer.status_code == 200 else []
            return sum(event["type"] == "view_item" for event in told) == 2

        assert eventually(reported)


def test_browser_without_script_is_told_by_the_pixel(running: Running, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    with page.expect_response("**/o.gif?*") as answer:
        page.goto(f"{running.public}/shop/p/PEN-1")
    assert answer.value.status == 200
    assert answer.value.headers["content-type"] == "image/gif"
    context.close()


def test_simulated_shoppers_walk_and_their_abandoned_carts_are_listed(running: Running) -> None:
    with running.shop_server() as server:
        carts = eventually(lambda: server.get("/v1/carts/abandoned", params={"limit": 5}).json()["carts"])
        assert carts, "two weeks of past visits leave abandoned carts"
        assert all(cart["pieces"] > 0 and cart["idle_s"] > 3600 for cart in carts)
    with running.marketer() as marketer:

        def walked() -> Any:
            report = marketer.get("/v1/reports/sessions", params={"period": "today"}).json()
            return report["summary"]["sessions"] > 5

        assert eventually(walked, within_s=30)
    assert running.process.poll() is None


@pytest.mark.parametrize("path", ["/health", "/ready", "/metrics", "/openapi.json"])
def test_both_ports_answer_health_readiness_metrics_and_their_description(running: Running, path: str) -> None:
    with running.shop_server() as public, running.marketer() as private:
        assert public.get(path).status_code == 200
        assert private.get(path).status_code == 200
