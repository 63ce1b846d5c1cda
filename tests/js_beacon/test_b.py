"""What a page does → what the far end gets. Every body must be a batch that the server's own types decode."""

import json
import re
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from playwright.sync_api import Page

from schema.events import Batch

pytestmark = [pytest.mark.browser, pytest.mark.network]

Wait = Callable[[Callable[[], bool]], None]
WAITING = "Object.keys(localStorage).filter(name => name.startsWith('bz:')).sort().map(name => localStorage[name])"
EMPTY = f"!{WAITING}.length"
LAMP = "{item_id: 'LAMP-1', item_name: 'Lamp', price: '39.90', colour: 'red', tags: ['a']}"


def assert_decodes(far_end: Any) -> None:
    for body in far_end.bodies:
        msgspec.json.decode(json.dumps(body), type=Batch)


def test_page_view_is_sent_at_load(page: Page, far_end: Any, shop_page: Any, wait_until: Wait) -> None:
    page.goto(shop_page("/p/lamp"), referer="https://search.example/")
    wait_until(lambda: bool(far_end.bodies))
    body, event = far_end.bodies[0], far_end.one("page_view")
    assert set(body) == {"key", "visitor", "sent_at", "events"}
    assert body["key"] == "pk_test"
    assert event["page"] == {
        "url": f"{far_end.origin}/p/lamp",
        "referrer": "https://search.example/",
        "title": "Lamp",
    }
    assert re.fullmatch(r"[0-9-]{20,43}", event["event_id"])
    assert event["occurred_at"] <= body["sent_at"]
    assert far_end.headers[0]["content-type"].startswith("text/plain")
    assert_decodes(far_end)


def test_visitor_stays_the_same_over_pages(page: Page, far_end: Any, shop_page: Any, wait_until: Wait) -> None:
    page.goto(shop_page("/"))
    page.goto(shop_page("/p/lamp"))
    wait_until(lambda: far_end.types().count("page_view") == 2)
    visitors = {body["visitor"] for body in far_end.bodies}
    assert visitors == {page.evaluate("localStorage.bz_v")}


def test_event_before_leaving_is_not_lost(page: Page, far_end: Any, shop_page: Any, wait_until: Wait) -> None:
    far_end.pages["/next"] = "<!doctype html><title>no beacon here</title>"
    page.goto(shop_page("/"))
    wait_until(lambda: far_end.types() == ["page_view"])
    page.evaluate("() => { baliza('event', 'search', {search_term: 'lamp'}); document.getElementById('next').click() }")
    # Who stays for a second or more, as on a busy machine, leaves word of that too.
    wait_until(lambda: [kind for kind in far_end.types() if kind != "user_engagement"] == ["page_view", "search"])


@pytest.mark.parametrize("signal", ["globalPrivacyControl", "doNotTrack"])
def test_opted_out_visitor_leaves_no_trace(page: Page, far_end: Any, shop_page: Any, signal: str) -> None:
    value = "true" if signal == "globalPrivacyControl" else "'1'"
    page.add_init_script(f"Object.defineProperty(Navigator.prototype, '{signal}', {{get: () => {value}}})")
    page.goto(shop_page("/", before="window.dataLayer=[{event:'login'}]"))
    page.wait_for_function("window.baliza && window.baliza.ready")
    page.evaluate("baliza('event', 'search', {search_term: 'lamp'})")
    page.wait_for_timeout(500)
    assert far_end.bodies == []
    assert page.evaluate("Object.keys(localStorage)") == []


def test_opting_out_later_removes_what_was_stored(page: Page, far_end: Any, shop_page: Any, wait_until: Wait) -> None:
    page.goto(shop_page("/"))
    wait_until(lambda: bool(far_end.bodies))
    page.add_init_script("Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', {get: () => true})")
    page.reload()
    page.wait_for_function("window.baliza && window.baliza.ready")
    assert page.evaluate("Object.keys(localStorage)") == []


def test_history_changes_are_page_views(page: Page, far_end: Any, shop_page: Any, wait_until: Wait) -> None:
    page.goto(shop_page("/"))
    page.wait_for_function("window.baliza && window.baliza.ready")
    changes = [
        "history.pushState({}, '', '/a')",
        "history.pushState({}, '', '/a'); history.pushState({}, '', '/a#part'); history.replaceState({}, '', '/b')",
        "history.pushState({}, '', '/b#/route')",
        "history.go(-1)",
    ]
    for number, change in enumerate(changes, start=2):
        page.evaluate(change)
        wait_until(lambda number=number: far_end.types().count("page_view") == number)  # type: ignore[misc]
    pages = [event["page"] for event in far_end.events if event["type"] == "page_view"]
    assert [seen["url"].removeprefix(far_end.origin) for seen in pages] == ["/", "/a", "/b", "/b#/route", "/b"]
    assert [seen["referrer"].removeprefix(far_end.origin) for seen in pages[1:]] == ["/", "/a", "/b", "/b#/route"]


def test_what_is_said_right_after_a_change_of_address_belongs_to_the_new_page(
    page: Page, far_end: Any, shop_page: Any, wait_until: Wait
) -> None:
    page.goto(shop_page("/"))
    page.wait_for_function("window.baliza && window.baliza.ready")
    page.evaluate(
        """() => { history.pushState({}, '', '/gone'); history.replaceState({}, '', '/a'); document.title = 'A';
        dataLayer.push({event: 'view_cart'}) }"""
    )
    wait_until(lambda: "view_cart" in far_end.types())
    # A slow machine may have shown the first page for long enough to tell how long.
    told = [event for event in far_end.events if event["type"] != "user_engagement"]
    assert [event["type"] for event in told] == ["page_view", "page_view", "view_cart"]
    assert [event["page"]["title"] for event in told] == ["Lamp", "A", "A"]
    assert {event["page"]["url"].removeprefix(far_end.origin) for event in told[1:]} == {"/a"}


def test_reads_both_forms_of_data_layer_before_and_after(page: Page, far_end: Any, shop_page: Any, wait_until: Wait) -> None:
    before = (
        "window.dataLayer=[]; function gtag(){dataLayer.push(arguments)};"
        "gtag('js', new Date()); gtag('config', 'G-1'); gtag('event', 'page_view', {});"
        f"gtag('event', 'view_item', {{currency: 'eur', value: 39.9, items: [{LAMP}], theme: 'dark'}});"
        "dataLayer.push({event: 'gtm.js', 'gtm.start': 1});"
    )
    page.goto(shop_page("/", before=before))
    page.wait_for_function("window.baliza && window.baliza.ready")
    page.evaluate(
        f"""() => {{ dataLayer.push({{ecommerce: null}});
        dataLayer.push({{event: 'purchase', 'gtm.uniqueEventId': 7, ecommerce: {{
          currency: 'EUR', value: '79.80', transaction_id: 1001, shipping: 4.9,
          items: [{LAMP}, {{item_id: 7, quantity: '2'}}, {{}}]
        }}}}) }}"""
    )
    wait_until(lambda: "purchase" in far_end.types())
    assert far_end.types() == ["page_view", "view_item", "purchase"]
    lamp = {"item_id": "LAMP-1", "item_name": "Lamp", "price": "39.90", "colour": "red"}
    view, purchase = far_end.one("view_item"), far_end.one("purchase")
    assert (view["items"], view["currency"], view["properties"]) == ([lamp], "EUR", {"theme": "dark"})
    assert (purchase["transaction_id"], purchase["value"], purchase["shipping"]) == ("1001", "79.80", 4.9)
    assert purchase["items"] == [lamp, {"item_id": "7", "quantity": 2}]
    assert "properties" not in purchase
    assert_decodes(far_end)


def test_data_layer_still_works_for_others(page: Page, shop_page: Any) -> None:
    page.goto(shop_page("/"))
    page.wait_for_function("window.baliza && window.baliza.ready")
    assert page.evaluate("dataLayer.push({event: 'x'}, {event: 'y'})") == 2
    assert page.evaluate("dataLayer.map(entry => entry.event)") == ["x", "y"]


def test_calls_made_before_load_are_answered(page: Page, far_end: Any, shop_page: Any, wait_until: Wait) -> None:
    stub = "window.baliza=window.baliza||function(){(baliza.q=baliza.q||[]).push(arguments)};"
    calls = f"baliza('cart', [{LAMP}], {{currency: 'EUR'}}); baliza('identify', 'c-42');"
    page.goto(shop_page("/", before=stub + calls))
    wait_until(lambda: "sync_cart" in far_end.types())
    assert far_end.types() == ["login", "page_view", "sync_cart"]
    assert {event["customer_id"] for event in far_end.events} == {"c-42"}
    assert far_end.one("sync_cart")["items"][0]["item_id"] == "LAMP-1"
    assert_decodes(far_end)


def test_customer_is_named_until_log_out(page: Page, far_end: Any, shop_page: Any, wait_until: Wait) -> None:
    page.goto(shop_page("/"))
    page.wait_for_function("window.baliza && window.baliza.ready")
    page.evaluate(
        """() => { baliza('identify', 'c-1'); baliza('identify', 'c-1'); baliza('event', 'search', {search_term: 'a'});
        baliza('logout'); baliza('cart', []) }"""
    )
    wait_until(lambda: "sync_cart" in far_end.types())
    assert [(event["type"], event.get("customer_id")) for event in far_end.events] == [
        ("page_view", None),
        ("login", "c-1"),
        ("search", "c-1"),
        ("sync_cart", None),
    ]
    assert far_end.one("sync_cart")["items"] == []


def test_other_parameters_become_bounded_properties(page: Page, far_end: Any, shop_page: Any, wait_until: Wait) -> None:
    page.goto(shop_page("/"))
    page.wait_for_function("window.baliza && window.baliza.ready")
    page.evaluate(
        """() => { const many = {flag: true, nested: {a: 1}, list: [1], text: 'x'.repeat(900)};
        for (let n = 0; n < 40; n++) many['p' + n] = n;
        baliza('event', 'generate_lead', many) }"""
    )
    wait_until(lambda: "generate_lead" in far_end.types())
    chosen = far_end.one("generate_lead")["properties"]
    assert len(chosen) == 24
    assert (chosen["flag"], chosen["p0"], len(chosen["text"])) == (True, 0, 100)
    assert "nested" not in chosen
    assert "list" not in chosen
    assert_decodes(far_end)


def test_batches_hold_what_a_page_that_goes_may_send(page: Page, far_end: Any, shop_page: Any, wait_until: Wait) -> None:
    page.goto(shop_page("/"))
    page.wait_for_function("window.baliza && window.baliza.ready")
    page.evaluate("() => { for (let n = 0; n < 200; n++) baliza('event', 'search', {search_term: 'n' + n}) }")
    wait_until(lambda: len(far_end.events) == 201)
    sizes = [len(json.dumps(body["events"], separators=(",", ":"))) for body in far_end.bodies]
    assert max(sizes) <= 20_100
    assert len(sizes) >= 3
    page.wait_for_function(EMPTY)


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_keeps_and_retries_when_the_server_cannot(
    page: Page, far_end: Any, shop_page: Any, wait_until: Wait, status: int
) -> None:
    far_end.answers = [status]
    page.goto(shop_page("/"))
    wait_until(lambda: len(far_end.bodies) == 1)
    assert len(page.evaluate(WAITING)) == 1
    wait_until(lambda: len(far_end.bodies) == 2)
    first, second = far_end.bodies
    assert first["events"] == second["events"]
    page.wait_for_function(EMPTY)


@pytest.mark.parametrize("status", [200, 202, 400, 401, 403, 413])
def test_forgets_events_after_a_final_answer(
    page: Page, far_end: Any, shop_page: Any, wait_until: Wait, status: int
) -> None:
    far_end.answers = [status]
    page.goto(shop_page("/"))
    wait_until(lambda: len(far_end.bodies) == 1)
    page.wait_for_function(EMPTY)
    page.wait_for_timeout(1200)
    assert len(far_end.bodies) == 1


def test_honours_retry_after(page: Page, far_end: Any, shop_page: Any, wait_until: Wait) -> None:
    far_end.answers, far_end.answer_headers = [503], {"Retry-After": "3"}
    page.goto(shop_page("/"))
    wait_until(lambda: len(far_end.bodies) == 1)
    page.wait_for_timeout(1500)
    assert len(far_end.bodies) == 1
    wait_until(lambda: len(far_end.bodies) == 2)


def test_events_of_an_outage_arrive_from_the_next_page(page: Page, far_end: Any, shop_page: Any, wait_until: Wait) -> None:
    page.route("**/o", lambda route: route.abort())
    page.goto(shop_page("/first"))
    page.wait_for_timeout(400)
    assert far_end.bodies == []
    page.unroute("**/o")
    page.goto(shop_page("/second"))
    wait_until(lambda: far_end.types().count("page_view") == 2)
    seen = [event["page"]["url"] for event in far_end.events if event["type"] == "page_view"]
    urls = [url.removeprefix(far_end.origin) for url in seen]
    assert urls == ["/first", "/second"]


def test_queue_forgets_the_oldest_above_a_thousand(page: Page, shop_page: Any) -> None:
    page.route("**/o", lambda route: route.abort())
    page.goto(shop_page("/"))
    page.wait_for_function("window.baliza && window.baliza.ready")
    page.evaluate("() => { for (let n = 0; n < 1005; n++) baliza('event', 'search', {search_term: 'n' + n}) }")
    kept = [json.loads(entry.split("\n")[1]) for entry in page.evaluate(WAITING)]
    assert len(kept) == 1000
    assert (kept[0]["search_term"], kept[-1]["search_term"]) == ("n5", "n1004")


def test_works_without_storage(page: Page, far_end: Any, shop_page: Any, wait_until: Wait) -> None:
    page.add_init_script("Object.defineProperty(window, 'localStorage', {get: () => { throw new Error('no') }})")
    page.goto(shop_page("/"))
    wait_until(lambda: far_end.types() == ["page_view"])
    assert far_end.bodies[0]["visitor"]


def test_never_throws_into_the_page(page: Page, far_end: Any, shop_page: Any, wait_until: Wait) -> None:
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(shop_page("/", before="window.dataLayer=[null, 7, 'x', {event: {}}, {event: 'purchase', ecommerce: 3}]"))
    page.wait_for_function("window.baliza && window.baliza.ready")
    page.evaluate(
        """() => { const loop = {}; loop.loop = loop;
        baliza(); baliza('nothing'); baliza('toString'); baliza('event'); baliza('cart', 7); baliza('identify');
        baliza('event', 'view_item', {items: [null, loop], content: loop}); baliza('event', 'search', null) }"""
    )
    wait_until(lambda: "search" in far_end.types())
    assert errors == []


def test_script_loaded_twice_counts_once(page: Page, far_end: Any, shop_page: Any, wait_until: Wait) -> None:
    page.goto(shop_page("/"))
    page.wait_for_function("window.baliza && window.baliza.ready")
    page.evaluate(
        """() => { const again = document.createElement('script');
        Object.assign(again, {src: '/b.js?2'}); again.dataset.site = 'pk_test'; document.head.append(again) }"""
    )
    wait_until(lambda: bool(far_end.bodies))
    page.wait_for_timeout(500)
    assert far_end.types() == ["page_view"]


def test_no_request_looks_cancelled(page: Page, far_end: Any, shop_page: Any, wait_until: Wait) -> None:
    failed: list[str] = []
    page.on("requestfailed", lambda request: failed.append(request.url))
    page.goto(shop_page("/"))
    wait_until(lambda: bool(far_end.bodies))
    page.wait_for_timeout(300)
    assert failed == []
