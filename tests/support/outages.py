"""Servers that die, hang, and come back while a visitor goes on; and connections that end at the worst moment."""

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import psutil
from playwright.sync_api import BrowserContext

from tests.support.figures import Figures
from tests.support.front import CUT, LOSE_ANSWER, PASS, Arrival, Fate
from tests.support.live_shop import LiveShop, search, term

SHORTEST_S, LONGEST_S = 0.2, 3.0
STORE_PATIENCE_S = 3.2  # a little more than the collector's
Outage = Callable[[LiveShop], AbstractContextManager[None]]


@contextmanager
def killed_collector(shop: LiveShop) -> Iterator[None]:
    shop.collector.crash()
    yield
    shop.collector.start_again()


@contextmanager
def killed_worker(shop: LiveShop) -> Iterator[None]:
    """gunicorn's parent lives on and starts another one."""
    for worker in psutil.Process(shop.collector.process.pid).children():
        worker.kill()
    yield


@contextmanager
def killed_live_store(shop: LiveShop) -> Iterator[None]:
    shop.collector.valkey.kill()
    yield
    shop.collector.valkey.start()


@contextmanager
def hung_collector(shop: LiveShop) -> Iterator[None]:
    os.killpg(shop.collector.process.pid, signal.SIGSTOP)
    yield
    os.killpg(shop.collector.process.pid, signal.SIGCONT)


@contextmanager
def hung_live_store(shop: LiveShop) -> Iterator[None]:
    """Longer than the collector waits for it: the events are refused, and taken all the same when it goes on."""
    process = shop.collector.valkey.process
    assert process is not None
    process.send_signal(signal.SIGSTOP)
    yield
    time.sleep(STORE_PATIENCE_S)
    process.send_signal(signal.SIGCONT)


@contextmanager
def lost_answers(shop: LiveShop) -> Iterator[None]:
    """The events are taken, and nobody hears of it."""
    shop.front.fate = lambda _arrival: LOSE_ANSWER
    yield
    shop.front.fate = lambda _arrival: PASS


@contextmanager
def cut_connections(shop: LiveShop) -> Iterator[None]:
    shop.front.fate = lambda _arrival: CUT
    yield
    shop.front.fate = lambda _arrival: PASS


OUTAGES: dict[str, Outage] = {
    "collector killed": killed_collector,
    "answers lost": lost_answers,
    "live store killed": killed_live_store,
    "collector hung": hung_collector,
    "connections cut": cut_connections,
    "live store hung": hung_live_store,
    "worker killed": killed_worker,
}


def now_and_then(dice: random.Random) -> Callable[[Arrival], Fate]:
    """In good times some answers are lost too."""
    return lambda _arrival: LOSE_ANSWER if dice.random() < 0.1 else PASS


def fail_servers(shop: LiveShop, context: BrowserContext, repetitions: int, seed: int = 7) -> Figures:
    """A visitor goes from page to page while servers fail, so many times; then one more page, and count."""
    dice, figures = random.Random(seed), Figures("server down")
    outages, searched, began = list(OUTAGES), set[str](), time.monotonic()
    for number in range(repetitions):
        name = outages[number % len(outages)]
        shop.front.fate = now_and_then(random.Random(seed + number))
        first = shop.open(context)
        searched.update(search(first, term(), term()))
        # At any moment of the first batch: gathered, under way, taken, answered.
        time.sleep(dice.uniform(0, 0.4))
        with OUTAGES[name](shop):
            over = time.monotonic() + SHORTEST_S + dice.random() ** 2 * (LONGEST_S - SHORTEST_S)
            second = shop.open(context, "/b")
            searched.update(search(first, term()) + search(second, term()))
            time.sleep(max(0.0, over - time.monotonic()))
            second.close()
        shop.until_well()
        first.close()
        figures.ways[name] += 1
    shop.front.fate = lambda _arrival: PASS
    figures.settle(shop, context, searched)
    figures.seconds = time.monotonic() - began
    return figures
