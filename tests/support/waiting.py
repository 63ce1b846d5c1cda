"""Waiting for what is to happen, and loops that run for as long as a test needs them."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


def wait_for(condition: Callable[[], Any], timeout_s: float, why: Callable[[], str] = lambda: "") -> Any:
    """What the condition answers as soon as that is true. `why`: what to say when it is not within timeout_s seconds."""
    deadline = time.monotonic() + timeout_s
    while not (found := condition()):
        assert time.monotonic() < deadline, why() or f"it did not happen within {timeout_s:g} seconds"
        time.sleep(0.05)
    return found


@contextmanager
def looping(loop: Callable[..., None], settings: Any, *more: Any) -> Iterator[None]:
    """loop(settings, stop, *more) in a thread while inside; told to stop at the end, and waited for."""
    stop = threading.Event()
    thread = threading.Thread(target=loop, args=(settings, stop, *more))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
