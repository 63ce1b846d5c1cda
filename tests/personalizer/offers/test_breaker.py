"""A store that failed is left alone for a moment."""

import threading

import pytest

from baliza.errors import StoreDown
from personalizer.offers.breaker import Breaker
from tests.support.clock import Clock


class Store:
    """Fails while it is down, and counts who asked."""

    down = True
    asked = 0

    def read(self) -> str:
        self.asked += 1
        if self.down:
            raise StoreDown("away")
        return "read"


def test_does_not_ask_again_during_the_pause() -> None:
    store, breaker = Store(), Breaker(Clock())
    for _ in range(3):
        with pytest.raises(StoreDown):
            breaker.run(store.read)
    assert store.asked == 1


def test_the_pause_is_as_long_as_told() -> None:
    store, clock = Store(), Clock()
    breaker = Breaker(clock, 0.25)
    for moment, asked in ((100.0, 1), (100.2, 1), (100.3, 2)):
        clock.now_s = moment
        with pytest.raises(StoreDown):
            breaker.run(store.read)
        assert store.asked == asked


def test_asks_again_after_the_pause() -> None:
    store, clock = Store(), Clock()
    breaker = Breaker(clock)
    with pytest.raises(StoreDown):
        breaker.run(store.read)
    store.down = False
    clock.now_s += 1.0
    assert breaker.run(store.read) == "read"


def test_other_errors_pass_and_close_nothing() -> None:
    breaker = Breaker(Clock())
    with pytest.raises(ZeroDivisionError):
        breaker.run(lambda: 1 // 0)
    assert breaker.run(lambda: 1) == 1


def test_one_thread_tries_while_the_others_are_refused() -> None:
    clock, entered, leave = Clock(), threading.Event(), threading.Event()
    breaker = Breaker(clock)
    with pytest.raises(StoreDown):
        breaker.run(Store().read)
    clock.now_s += 1.0

    def hang() -> str:
        entered.set()
        assert leave.wait(10)
        return "read"

    trial = threading.Thread(target=breaker.run, args=(hang,))
    trial.start()
    assert entered.wait(10)
    with pytest.raises(StoreDown, match="a moment ago"):
        breaker.run(lambda: "read")
    leave.set()
    trial.join()
    assert breaker.run(lambda: "read") == "read"
