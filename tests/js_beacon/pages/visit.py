"""Show a page in the browser, and let the collector's own decoder judge what the beacon sends of it."""

import json
import time
from dataclasses import dataclass
from itertools import count
from typing import Any

import msgspec
from playwright.sync_api import Page, Route

from schema.events import Event
from tests.support.browser import FarEnd
from tracker.beacon import Rejection, decode
from tracker.checks import TimeWindow

READY = "window.baliza && window.baliza.ready"
# Its arrival says that all before it has arrived; the queue keeps the order.
LAST_WORD = "the last word"
_numbers = count(1)


def expected(wire: dict[str, Any]) -> Event:
    """An event as the collector would decode it, without what differs each time."""
    whole = {"event_id": "-", "occurred_at": "2026-11-22T10:00:00Z", **wire}
    return msgspec.json.decode(json.dumps(whole), type=Event)


def comparable(event: Event) -> Event:
    return msgspec.structs.replace(event, event_id="-", occurred_at=expected({"type": "search"}).occurred_at, page=None)


@dataclass
class Told:
    """What the collector took of one page, without its page view, and what it refused."""

    accepted: list[Event]
    refused: list[Rejection]
    errors: list[str]
    raw: str
    url: str

    @property
    def events(self) -> list[Event]:
        return [comparable(event) for event in self.accepted]

    def only(self, word: str) -> "Told":
        """What is said of one thing, by a word that no other has."""
        accepted = [event for event in self.accepted if word in repr(event)]
        return Told(accepted, [each for each in self.refused if word.encode() in each.raw], self.errors, self.raw, self.url)

    @property
    def types(self) -> list[str]:
        return [event.type for event in self.accepted]


class Visit:
    """A browser that goes from page to page; each page begins with an empty storage."""

    def __init__(self, page: Page, far_end: FarEnd) -> None:
        self.page = page
        self.far_end = far_end
        self._held: list[Route] | None = None
        self._errors: list[str] = []
        page.on("pageerror", lambda error: self._errors.append(str(error)))
        page.route("**/b.js", self._serve)

    def _serve(self, route: Route) -> None:
        if self._held is None:
            route.continue_()
        else:
            self._held.append(route)

    def open(self, before: str = "", between: str = "", after: str = "", tag: str = "", body: str = "") -> str:
        """Scripts run before the beacon's tag, after the tag but before it has come, and when it is there."""
        path = f"/convention/{next(_numbers)}"
        self.page.context.clear_cookies()
        self._errors.clear()
        self._held = []
        self.far_end.pages[path] = (
            f"<!doctype html><title>Shop</title><script>localStorage.clear();{before}</script>"
            f'<script async src="/b.js" data-site="pk_test" {tag}></script>{body}'
        )
        self.page.goto(self.far_end.origin + path, wait_until="domcontentloaded")
        if between:
            self.page.evaluate(f"() => {{ {between} }}")
        self._wait(lambda: bool(self._held))
        held, self._held = self._held, None
        for route in held:
            route.continue_()
        self.page.wait_for_function(READY)
        if after:
            self.page.evaluate(f"() => {{ {after} }}")
        return path

    def told(self, path: str) -> Told:
        """All that the page has to tell until now."""
        self.page.evaluate(f"baliza('event', 'survey_answer', {{search_term: '{LAST_WORD}'}})")
        self._wait(lambda: any(LAST_WORD in json.dumps(body) for body in self._bodies(path)))
        now = TimeWindow(time.time_ns() // 1_000_000, 72 * 3_600_000, 300_000)
        decoded = [decode(json.dumps(body).encode(), now) for body in self._bodies(path)]
        events = [event for batch in decoded for event in batch.events]
        pages = [event for event in events if event.type == "page_view"]
        assert len(pages) == 1, "a page is viewed once"
        kept = [event for event in events if event.type != "page_view" and event.search_term != LAST_WORD]
        refused = [rejection for batch in decoded for rejection in batch.rejected]
        return Told(kept, refused, list(self._errors), json.dumps(self._bodies(path)), self.far_end.origin + path)

    def show(self, before: str = "", between: str = "", after: str = "", tag: str = "", body: str = "") -> Told:
        return self.told(self.open(before, between, after, tag, body))

    def guessed(self, body: str, before: str = "") -> Told:
        """A page that tells of its products in its markup: wait until that was read."""
        path = self.open(before, body=body)
        self.page.wait_for_function("!!window.baliza.guess")
        return self.told(path)

    def heard(self, path: str) -> bool:
        """Has anything come of this page?"""
        return bool(self._bodies(path))

    def _bodies(self, path: str) -> list[dict[str, Any]]:
        """What came of this page, as batches."""
        url = self.far_end.origin + path
        mine = [[event for event in body["events"] if event["page"]["url"] == url] for body in self.far_end.bodies]
        return [{**body, "events": events} for body, events in zip(self.far_end.bodies, mine, strict=True) if events]

    def _wait(self, condition: Any) -> None:
        deadline = time.monotonic() + 8
        while not condition():
            assert time.monotonic() < deadline, "waited 8 s for the browser"
            self.page.wait_for_timeout(10)
