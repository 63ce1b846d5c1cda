"""Shops written as public guides, plugins and themes have it: the right events come of it, and the collector takes them."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urljoin

import pytest
from playwright.sync_api import Browser

from tests.js_beacon.pages import ga4, odd, plugins, structured
from tests.js_beacon.pages.ga4 import PRODUCTS, Taught
from tests.js_beacon.pages.visit import Told, Visit, expected
from tests.support.browser import FarEnd

pytestmark = [pytest.mark.browser, pytest.mark.network]

Form = Callable[[str, Mapping[str, Any]], str]


@pytest.fixture(scope="module")
def visit(browser: Browser) -> Iterator[Visit]:
    server = FarEnd()
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(8000)
    yield Visit(page, server)
    context.close()
    server.stop()


def assert_exactly(told: Told, *wires: dict[str, Any]) -> None:
    assert (told.refused, told.errors) == ([], [])
    assert told.events == [expected(wire) for wire in wires]


def with_addresses(wire: dict[str, Any], page: str) -> dict[str, Any]:
    """Items that were read from markup have whole addresses; the page's own where the product has none."""
    (item,) = wire["items"]
    whole = {name: urljoin(page, item.get(name, "")) for name in ("url", "image") if name == "url" or name in item}
    return {**wire, "items": [{**item, **whole}]}


def assert_view(told: Told, wire: dict[str, Any]) -> None:
    assert_exactly(told, with_addresses(wire, told.url))


@pytest.mark.parametrize("form", ga4.FORMS.values(), ids=ga4.FORMS)
@pytest.mark.parametrize("taught", ga4.EVENTS, ids=[taught.kind for taught in ga4.EVENTS])
def test_every_event_of_the_guide_arrives_whenever_it_is_said(visit: Visit, taught: Taught, form: Form) -> None:
    first, second, third = (form(taught.kind, taught.params(item, n)) for n, item in enumerate(PRODUCTS))
    told = visit.show(before=ga4.GTAG + first, between=second, after=third)
    assert_exactly(told, *(taught.wire(item, n) for n, item in enumerate(PRODUCTS)))


def test_what_is_no_observation_stays_silent(visit: Visit) -> None:
    script = "".join(f"{{ {said.script} }}" for said in plugins.SILENT)
    told = visit.show(before=script, between=script, after=script)
    assert_exactly(told)
    assert "anna" not in told.raw
    assert visit.page.evaluate("window.answered") is None, "a callback of Google's tag is not the beacon's to call"


@pytest.mark.parametrize("said", plugins.PLUGINS, ids=[said.name for said in plugins.PLUGINS])
def test_plugins_and_themes_are_understood(visit: Visit, said: plugins.Said) -> None:
    told = visit.show(before=said.script)
    assert_exactly(told, *said.wires)
    assert "anna" not in told.raw


@pytest.fixture(scope="module")
def odd_items(visit: Visit) -> Told:
    return visit.show(after=odd.item_page([*odd.ITEM_FIELDS, *odd.ITEM_FIELDS_REFUSED]))


@pytest.fixture(scope="module")
def odd_events(visit: Visit) -> Told:
    return visit.show(after=odd.event_page([*odd.EVENT_FIELDS, *odd.EVENT_FIELDS_REFUSED]))


@pytest.mark.parametrize("number", range(len(odd.ITEM_FIELDS)), ids=list(odd.ITEM_FIELDS))
def test_an_odd_item_field_costs_no_more_than_itself(odd_items: Told, number: int) -> None:
    left = list(odd.ITEM_FIELDS.values())[number]
    item = {"item_id": f"ODD-{number}-", **left}
    assert_exactly(odd_items.only(f"ODD-{number}-"), {"type": "view_item", "items": [item]})


@pytest.mark.parametrize("number", range(len(odd.EVENT_FIELDS)), ids=list(odd.EVENT_FIELDS))
def test_an_odd_event_field_costs_no_more_than_itself(odd_events: Told, number: int) -> None:
    left = list(odd.EVENT_FIELDS.values())[number]
    wire = {"type": "view_item", "items": [{"item_id": f"ODD-{number}-"}], **left}
    assert_exactly(odd_events.only(f"ODD-{number}-"), wire)


@pytest.mark.parametrize("marked", structured.PRODUCTS, ids=[marked.name for marked in structured.PRODUCTS])
def test_a_product_page_is_a_view(visit: Visit, marked: structured.Marked) -> None:
    assert_view(visit.guessed(marked.body), marked.wire)


@pytest.mark.parametrize("marked", structured.NO_PRODUCTS, ids=[marked.name for marked in structured.NO_PRODUCTS])
def test_a_page_about_no_single_product_is_no_view(visit: Visit, marked: structured.Marked) -> None:
    assert_exactly(visit.guessed(marked.body))


@pytest.mark.parametrize("marked", structured.PUZZLES, ids=[marked.name for marked in structured.PUZZLES])
def test_a_page_that_is_harder_to_read_is_a_view(visit: Visit, marked: structured.Marked) -> None:
    assert_view(visit.guessed(marked.body), marked.wire)


@pytest.mark.parametrize("number", range(len(odd.ITEM_FIELDS_REFUSED)), ids=list(odd.ITEM_FIELDS_REFUSED))
def test_a_wrong_item_field_does_not_cost_the_event(odd_items: Told, number: int) -> None:
    left, place = list(odd.ITEM_FIELDS_REFUSED.values())[number], len(odd.ITEM_FIELDS) + number
    assert_exactly(odd_items.only(f"ODD-{place}-"), {"type": "view_item", "items": [{"item_id": f"ODD-{place}-", **left}]})


@pytest.mark.parametrize("number", range(len(odd.EVENT_FIELDS_REFUSED)), ids=list(odd.EVENT_FIELDS_REFUSED))
def test_a_wrong_event_field_does_not_cost_the_event(odd_events: Told, number: int) -> None:
    left, place = list(odd.EVENT_FIELDS_REFUSED.values())[number], len(odd.EVENT_FIELDS) + number
    wire = {"type": "view_item", "items": [{"item_id": f"ODD-{place}-"}], **left}
    assert_exactly(odd_events.only(f"ODD-{place}-"), wire)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_tag_manager_takes_over_the_layer(visit: Visit, moment: str) -> None:
    first, second, third = (ga4.pushed("view_item", {"items": [item]}) for item in PRODUCTS)
    early, late = (plugins.TAKE_OVER, "") if moment == "before" else ("", plugins.TAKE_OVER)
    told = visit.show(before=plugins.LAYER + early + first, between=second, after=late + third)
    assert_exactly(told, *({"type": "view_item", "items": [item]} for item in PRODUCTS))
    assert visit.page.evaluate("managed.filter(entry => entry.event).length") == (3 if moment == "before" else 1)
    assert visit.page.evaluate("dataLayer.filter(entry => entry.event).length") == 3


def test_a_layer_that_is_kept_short_is_still_followed(visit: Visit) -> None:
    many = "for (let n = 0; n < 400; n++) dataLayer.push({event: 'scroll', n});"
    told = visit.show(before=plugins.TAKE_OVER, between=many, after=many + ga4.pushed("view_cart", {}))
    assert_exactly(told, {"type": "view_cart"})


@pytest.mark.parametrize("script", plugins.CALLBACKS, ids=["pushed", "gtag"])
def test_callbacks_are_left_to_whom_they_are_meant_for(visit: Visit, script: str) -> None:
    told = visit.show(before=ga4.GTAG, after=script)
    assert (told.refused, told.errors, told.types) == ([], [], ["select_item"])
    assert visit.page.evaluate("window.called") is None


@pytest.mark.parametrize("consent", ["", "required"])
@pytest.mark.parametrize("script", plugins.WHO)
def test_the_layer_says_who_it_is(visit: Visit, script: str, consent: str) -> None:
    tag, grant = ('data-consent="required"', "baliza('consent', 'granted');") if consent else ("", "")
    told = visit.show(before=ga4.GTAG + script, after=grant, tag=tag)
    assert (told.refused, told.errors, told.types) == ([], [], ["login"])
    assert told.accepted[0].customer_id == "4711"


def test_googles_consent_mode_is_no_consent_to_us(visit: Visit) -> None:
    granted = ga4.GTAG + "gtag('consent', 'default', {analytics_storage: 'granted', ad_storage: 'granted'});"
    script = (
        granted + ga4.gtag("view_item", {"items": [ga4.LAMP]}) + "gtag('consent', 'update', {analytics_storage: 'granted'});"
    )
    path = visit.open(before=script, tag='data-consent="required"')
    visit.page.wait_for_timeout(500)
    assert not visit.heard(path)
    assert visit.page.evaluate("[Object.keys(localStorage), document.cookie]") == [[], ""]
    visit.page.evaluate("baliza('consent', 'granted')")
    assert_exactly(visit.told(path), {"type": "view_item", "items": [ga4.LAMP], "consent": "granted"})


def test_googles_consent_mode_is_no_denial_to_us(visit: Visit) -> None:
    script = ga4.GTAG + "gtag('consent', 'default', {analytics_storage: 'denied'});"
    told = visit.show(before=script + ga4.gtag("view_item", {"items": [ga4.LAMP]}))
    assert_exactly(told, {"type": "view_item", "items": [ga4.LAMP]})


def test_an_order_of_the_older_kind_counts_for_nothing(visit: Visit) -> None:
    told = visit.show(before=plugins.LAYER + plugins.OLDER_ORDER + ga4.pushed("purchase", ga4.EVENTS[9].params(ga4.LAMP)))
    assert told.events == [expected(ga4.EVENTS[9].wire(ga4.LAMP))]


def test_remarketing_does_not_hide_what_the_page_is_about(visit: Visit) -> None:
    told = visit.guessed(structured.PRODUCTS[0].body, before=ga4.GTAG + plugins.REMARKETING)
    assert told.events == [expected(with_addresses(structured.SEEN, told.url))]
    assert [refused.index for refused in told.refused] == [1], "a view without a product is told as wrong"


def test_two_plugins_that_say_the_same_count_once(visit: Visit) -> None:
    assert visit.show(before=ga4.GTAG + plugins.TWICE, after=plugins.TWICE).types == ["add_to_cart", "add_to_cart"]
