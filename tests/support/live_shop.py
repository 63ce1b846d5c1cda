"""A shop's pages, the front that serves them, the collector behind it, and what it took: all of it real."""

import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from playwright.sync_api import BrowserContext, Page

from tests.support.collector import TRACKER, RunningCollector
from tests.support.front import Front
from tests.support.observed import KEY, WAITING, Observed

READY = "window.baliza && window.baliza.ready"
WITHIN_S = 30.0
_numbers = count(1)


def until(condition: Callable[[], object], what: str = "", within_s: float = WITHIN_S) -> None:
    """Wait for it. `what` is told when it does not come."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {within_s:.0f} s: {what}"
        time.sleep(0.02)


class LiveShop:
    """.collector .front .observed .strict; the pages /a and /b link to each other, /plain has no beacon."""

    def __init__(self, folder: Path, command: str = TRACKER, extra: dict[str, str] | None = None) -> None:
        self.collector = RunningCollector(folder, extra, command)
        self.front = Front(self.collector.url)
        self.origin = self.front.origin
        origins = [self.origin, *(self.at(host) for host in ("localhost", "shop.test", "www.shop.test"))]
        self.observed = Observed(self.collector, origins)
        # A site that keeps nothing of a visitor who did not say yes.
        self.strict = Observed(self.collector, origins, "strict", require_consent=True)
        self.page("/a")
        self.page("/b")
        self.front.pages |= {"/plain": "<!doctype html><title>plain</title>", "/favicon.ico": ""}

    def __enter__(self) -> Self:
        try:
            self.collector.wait_until_listening()
            self.until_well()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self.front.stop()
        self.collector.close()

    def until_well(self) -> None:
        """Until the collector knows its sites; asked in a way that leaves no trace."""

        def answers() -> bool:
            try:
                return self.collector.post({"key": KEY, "visitor": "v-0", "events": []}, timeout_s=2) == 400
            except OSError:
                return False

        until(answers, self.collector.log.read_text()[-2000:] or "the collector does not answer", within_s=60)

    def at(self, host: str) -> str:
        """The front's origin under another name; *.test leads there as well."""
        return f"http://{host}:{self.front.port}"

    def page(
        self, path: str, *, head: str = "", tag: str = "", body: str = "", script: str = "/b.js", key: str = KEY
    ) -> str:
        """Put a page with the beacon there; answers its address."""
        links = '<a id="a" href="/a">a</a> <a id="b" href="/b">b</a> <a id="plain" href="/plain">plain</a>'
        self.front.pages[path] = (
            f"<!doctype html><title>{path[1:]}</title>{head}"
            f'<script async src="{script}" data-site="{key}" {tag}></script>{links}{body}'
        )
        return self.origin + path

    def visit(self, page: Page, path: str = "/a", origin: str = "") -> Page:
        """Open a page and wait until the beacon has recorded that it is seen."""
        page.goto((origin or self.origin) + path)
        page.wait_for_function(READY)
        return page

    def open(self, context: BrowserContext, path: str = "/a", origin: str = "") -> Page:
        return self.visit(context.new_page(), path, origin)

    def until_sent(self, page: Page, within_s: float = WITHIN_S) -> None:
        """Until nothing waits in the visitor's browser."""
        until(lambda: not page.evaluate(WAITING), "events still wait in the browser", within_s)


def term() -> str:
    """A search that nobody else makes."""
    return f"term-{next(_numbers)}"


def search(page: Page, *terms: str) -> list[str]:
    """Let the page observe a search for each; a new one when none is given."""
    searched = list(terms) or [term()]
    page.evaluate("terms => terms.forEach(search_term => baliza('event', 'search', {search_term}))", searched)
    return searched


def counted_once(shop: LiveShop, visitor: str, told: set[str] | None = None) -> dict[str, Any]:
    """Everything of this visitor was taken once, by stream and profile (and is what the pages told): the live session."""
    ids = shop.observed.ids(visitor)
    assert [event_id for event_id, times in ids.items() if times > 1] == []
    session = shop.observed.session(visitor)
    assert session["events"] == len(ids)
    assert session["page_views"] == shop.observed.types(visitor).count("page_view")
    if told is not None:
        assert set(ids) == told
    return session
