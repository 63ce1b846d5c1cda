"""Strict Content Security Policies: nothing is violated, and everything works, the widget with real offers included."""

import pytest
from playwright.sync_api import Page

from tests.support.browser import NO_HURRY
from tests.support.live_shop import LiveShop, counted_once, search, until
from tests.support.observed import visitor_of

pytestmark = [pytest.mark.browser, pytest.mark.network]

LISTEN = """window.violated = []
addEventListener('securitypolicyviolation', event => violated.push(event.violatedDirective + ' ' + event.blockedURI))"""
WIDGET = (
    '<div data-faro="promotion:spring">spring</div>'
    '<div data-baliza-offers="home" data-baliza-limit="2">ours<template><article><a data-b="url">'
    '<b data-b="title"></b> <i data-b="price"></i></a></article></template></div>'
)
STRICT = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
POLICIES = {
    "nonce": "script-src 'nonce-n1'; connect-src 'self'",
    "nonce, strict-dynamic": "script-src 'nonce-n1' 'strict-dynamic'; connect-src 'self'",
    "host": "script-src 'self'; connect-src 'self'",
    "address": "script-src {origin}/b.js {origin}/offers.js {origin}/guess.js; connect-src {origin}/o {origin}/v1/offers",
}


@pytest.mark.parametrize(
    ("name", "host"), [*((name, "127.0.0.1") for name in POLICIES), ("nonce", "localhost"), ("host", "localhost")]
)
def test_nothing_is_violated(page: Page, shop: LiveShop, name: str, host: str) -> None:
    policy = POLICIES[name]
    if host != "127.0.0.1":
        policy = policy.replace("'self'", shop.origin)
    shop.front.page_headers = {"Content-Security-Policy": STRICT + policy.format(origin=shop.origin)}
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text))
    page.add_init_script(NO_HURRY + LISTEN)
    nonce = 'nonce="n1"' if "nonce" in policy else ""
    data = '<script type="application/ld+json">{"@type":"Product","sku":"LAMP-1","name":"Lamp"}</script>'
    if nonce:
        data = data.replace("<script", f"<script {nonce}")
    shop.page("/strict", tag=nonce, body=(data if nonce else "") + WIDGET, script=shop.origin + "/b.js")
    shop.visit(page, "/strict", shop.at(host))
    page.wait_for_selector("article")
    searched = search(page)
    visitor = visitor_of(page)
    wanted = {"page_view", "search", "faro_view", "offer_shown"} | ({"view_item"} if nonce else set())
    until(lambda: wanted <= set(shop.observed.types(visitor)), f"expected {wanted}")
    shop.until_sent(page)
    session = counted_once(shop, visitor)
    assert session["search_term"] == searched[0]
    assert session["item_views"] == int(bool(nonce))
    assert page.evaluate("window.violated") == []
    assert problems == []


def test_a_policy_that_forbids_sending_harms_nobody(page: Page, shop: LiveShop) -> None:
    shop.front.page_headers = {"Content-Security-Policy": STRICT + "script-src 'self'"}
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    shop.page("/strict", body=WIDGET)
    shop.visit(page, "/strict")
    (searched,) = search(page)
    page.wait_for_timeout(600)
    assert problems == []
    assert "ours" in page.inner_text("[data-baliza-offers]")
    # The next page, which may send, brings it.
    shop.front.page_headers = {}
    shop.visit(page)
    shop.until_sent(page)
    assert shop.observed.terms(visitor_of(page)) == {searched: 1}
