"""Marked elements, as a visitor meets them."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.support.browser import STRETCHED

pytestmark = [pytest.mark.browser, pytest.mark.network]

Wait = Callable[[Callable[[], bool]], None]
BANNER = '<p data-faro="promotion:spring-sale" data-faro-code="RC-7" style="height:200px">Spring sale</p>'
SPACER = '<div style="height:3000px"></div>'


TRIES = 10  # until a busy machine does in time what a visitor does


def contents(far_end: Any, kind: str) -> list[str]:
    return [event["content"]["id"] for event in far_end.events if event["type"] == kind]


def test_half_of_it_for_a_second_is_seen_once(page: Page, far_end: Any, shop_page: Any, wait_until: Wait) -> None:
    page.goto(shop_page("/", body=BANNER))
    wait_until(lambda: "faro_view" in far_end.types())
    event = far_end.one("faro_view")
    assert event["content"] == {"kind": "promotion", "id": "spring-sale"}
    assert event["response_code"] == "RC-7"
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<div style=\"height:3000px\">')")
    page.evaluate("scrollTo(0, 2000)")
    page.wait_for_timeout(200)
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_timeout(1500)
    assert contents(far_end, "faro_view") == ["spring-sale"]


def test_a_glance_is_not_a_view(page: Page, far_end: Any, shop_page: Any) -> None:
    glance = """async () => {
      const began = performance.now();
      document.querySelector('[data-faro]').scrollIntoView();
      await new Promise(done => setTimeout(done, 400));
      scrollTo(0, 0);
      await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
      return performance.now() - began;
    }"""
    for number in range(TRIES):
        page.goto(shop_page("/", body=SPACER + BANNER.replace("spring", f"s{number}") + SPACER))
        page.wait_for_function("window.baliza && window.baliza.ready")
        took_ms = page.evaluate(glance)
        page.wait_for_timeout(1500)
        if took_ms < 900:
            break
    assert took_ms < 900, "the machine is too busy for a glance"
    assert f"s{number}-sale" not in contents(far_end, "faro_view")


def test_less_than_half_is_not_seen(page: Page, far_end: Any, shop_page: Any, wait_until: Wait) -> None:
    page.set_viewport_size({"width": 800, "height": 600})
    below = '<div style="height:540px"></div><p data-faro="ad:peek" style="height:300px;margin:0">peek</p>'
    page.goto(shop_page("/", body=below + SPACER))
    page.wait_for_timeout(1800)
    assert contents(far_end, "faro_view") == []
    page.evaluate("scrollTo(0, 250)")
    wait_until(lambda: contents(far_end, "faro_view") == ["peek"])


@pytest.mark.parametrize("screens", [2, 6])
def test_an_element_larger_than_the_screen_is_seen_by_half_of_the_screen(
    page: Page, far_end: Any, shop_page: Any, wait_until: Wait, screens: int
) -> None:
    page.set_viewport_size({"width": 800, "height": 600})
    tall = f'<body style="margin:0"><div data-faro="editorial:long" style="height:{screens * 600}px">read</div>'
    page.goto(shop_page("/", body='<div style="height:500px"></div>' + tall))
    page.wait_for_timeout(1800)
    assert contents(far_end, "faro_view") == []
    page.evaluate("scrollTo(0, 450)")
    wait_until(lambda: contents(far_end, "faro_view") == ["long"])


def test_what_is_added_later_counts_too(page: Page, far_end: Any, shop_page: Any, wait_until: Wait) -> None:
    page.goto(shop_page("/"))
    page.wait_for_function("window.baliza && window.baliza.ready")
    page.evaluate(f"document.body.insertAdjacentHTML('beforeend', `{BANNER}`)")
    wait_until(lambda: contents(far_end, "faro_view") == ["spring-sale"])


def test_dwelling_is_a_hover_and_passing_is_not(page: Page, far_end: Any, shop_page: Any, wait_until: Wait) -> None:
    page.add_init_script(STRETCHED.format(ms=400, longer=5000))  # to dwell takes as long
    other = '<p data-faro="category:lamps" data-faro-on="hover" style="height:100px">Lamps</p>'
    page.goto(shop_page("/", body=BANNER.replace("<p", '<p data-faro-on="hover"') + other))
    page.wait_for_function("window.baliza && window.baliza.ready")
    page.hover("text=Lamps")
    page.wait_for_timeout(100)
    page.hover("text=Spring sale")
    wait_until(lambda: "spring-sale" in contents(far_end, "faro_hover"))
    page.wait_for_timeout(600)
    assert contents(far_end, "faro_hover") == ["spring-sale"]
    assert contents(far_end, "faro_view") == []


def test_a_click_counts_even_when_the_page_leaves_with_it(
    page: Page, far_end: Any, shop_page: Any, wait_until: Wait
) -> None:
    far_end.pages["/next"] = "<!doctype html>"
    link = '<a href="/next" data-faro="product:LAMP-1"><b onclick="event.stopPropagation()">Lamp</b></a>'
    page.goto(shop_page("/", body=link))
    page.wait_for_function("window.baliza && window.baliza.ready")
    page.click("b")
    wait_until(lambda: "faro_click" in far_end.types())
    assert far_end.one("faro_click")["content"] == {"kind": "product", "id": "LAMP-1"}


def test_only_what_is_asked_for_is_observed(page: Page, far_end: Any, shop_page: Any, wait_until: Wait) -> None:
    page.goto(shop_page("/", body=BANNER.replace("<p", '<p data-faro-on="click"')))
    page.hover("text=Spring sale")
    page.wait_for_timeout(1500)
    page.click("text=Spring sale")
    wait_until(lambda: "faro_click" in far_end.types())
    assert {"faro_view", "faro_hover"} & set(far_end.types()) == set()


def test_another_page_view_sees_anew(page: Page, far_end: Any, shop_page: Any, wait_until: Wait) -> None:
    page.goto(shop_page("/", body=BANNER))
    wait_until(lambda: len(contents(far_end, "faro_view")) == 1)
    page.evaluate("history.pushState({}, '', '/another')")
    wait_until(lambda: len(contents(far_end, "faro_view")) == 2)
    page.wait_for_timeout(1300)
    urls = [event["page"]["url"].removeprefix(far_end.origin) for event in far_end.events if event["type"] == "faro_view"]
    assert urls == ["/", "/another"]


def test_a_faro_that_says_nothing_is_ignored(page: Page, far_end: Any, shop_page: Any) -> None:
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(shop_page("/", body='<p data-faro="nothing">empty</p><p data-faro>none</p>'))
    page.click("text=empty")
    page.click("text=none")
    page.wait_for_timeout(1500)
    assert not any(kind.startswith("faro") for kind in far_end.types())
    assert errors == []
