"""A visitor who closes tabs in the middle of everything, again and again."""

import random
import time
from collections.abc import Callable
from contextlib import suppress

from playwright.sync_api import BrowserContext, Page
from playwright.sync_api import Error as BrowserError

from tests.support.figures import Figures
from tests.support.front import PASS, Arrival
from tests.support.live_shop import LiveShop, search, term

AT_MOST_S = 0.4  # twice the time for which the beacon gathers events
SLOWEST_S = 0.15


def close_at_once(page: Page) -> None:
    page.close()


def close_in_order(page: Page) -> None:
    """As people do: the page is told that it goes."""
    with page.expect_event("close"):
        page.close(run_before_unload=True)


def go_elsewhere(page: Page) -> None:
    page.goto("about:blank")
    page.close()


def follow_a_link(page: Page) -> None:
    with page.expect_navigation(url="**/plain"):
        page.evaluate("() => document.getElementById('plain').click()")
    page.close()


def crash(page: Page) -> None:
    """The tab's process dies, as it does when memory is short."""
    with suppress(BrowserError):
        page.goto("chrome://crash")
    page.close()


WAYS: dict[str, Callable[[Page], None]] = {
    "closed at once": close_at_once,
    "closed in order": close_in_order,
    "gone elsewhere": go_elsewhere,
    "followed a link": follow_a_link,
    "crashed": crash,
}


def after(seconds: float) -> str:
    """What becomes of a request that the network holds up."""
    time.sleep(seconds)
    return PASS


def slowly(dice: random.Random) -> Callable[[Arrival], str]:
    """A network that takes its time, so that tabs close while requests are under way."""

    return lambda _arrival: after(dice.uniform(0, SLOWEST_S))


def close_tabs(shop: LiveShop, context: BrowserContext, repetitions: int, origin: str = "", seed: int = 7) -> Figures:
    """Open a page, do something, close it at a random moment; so many times; then one more page, and count."""
    dice, figures = random.Random(seed), Figures("closing tab")
    shop.front.fate = slowly(random.Random(seed))
    ways, searched, began = list(WAYS), set[str](), time.monotonic()
    for number in range(repetitions):
        page = shop.open(context, origin=origin)
        if number // len(ways) % 2:
            # The page's own view is away already, so that only what is done now is at stake.
            shop.until_sent(page)
        searched.update(search(page, *(term() for _ in range(dice.randint(1, 3)))))
        time.sleep(dice.uniform(0, AT_MOST_S))
        way = ways[number % len(ways)]
        WAYS[way](page)
        figures.ways[way] += 1
    figures.settle(shop, context, searched, origin)
    figures.seconds = time.monotonic() - began
    return figures
