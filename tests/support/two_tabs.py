"""Two tabs of one visitor that observe at the same time."""

import random
import time

from playwright.sync_api import BrowserContext

from tests.support.figures import Figures
from tests.support.live_shop import LiveShop, search, term

EVERY_S = 0.12  # on average: the two tabs' batches overlap


def observe_in_two_tabs(shop: LiveShop, context: BrowserContext, rounds: int, origin: str = "", seed: int = 7) -> Figures:
    """Both tabs stay open and observe in turns, at random moments; then one more page, and count."""
    dice, figures, searched = random.Random(seed), Figures("two tabs"), set[str]()
    began = time.monotonic()
    tabs = [shop.open(context, "/a", origin), shop.open(context, "/b", origin)]
    for _ in range(rounds):
        for tab in tabs:
            searched.update(search(tab, *(term() for _ in range(dice.randint(1, 3)))))
        time.sleep(dice.uniform(0, 2 * EVERY_S))
    figures.ways["rounds"] = rounds
    for tab in tabs:
        shop.until_sent(tab)
    arrived = shop.front.times_at_the_wire()
    figures.settle(shop, context, searched, origin)
    # While both were open: what the last page brings again is no matter of two tabs.
    figures.arrived, figures.twice_at_the_wire = len(arrived), sum(times > 1 for times in arrived.values())
    figures.seconds = time.monotonic() - began
    return figures
