"""Load in a closed loop: each connection sends its next request when it has the answer to its last. By wrk or us."""

import resource
import time
from collections.abc import Callable
from dataclasses import dataclass

from loadtests import wrk
from loadtests.client import Answer, for_seconds, send
from loadtests.payloads import Posts
from loadtests.processes import load_core

__all__ = ["Sent", "send_closed"]


@dataclass(frozen=True)
class Sent:
    """What was answered as it should be, and what sending it cost the load itself (CPU seconds)."""

    answered: int
    wall_s: float
    own_cpu_s: float


def send_closed(
    address: tuple[str, int],
    posts: Posts,
    in_flight: int,
    seconds: float,
    good: Callable[[Answer], bool],
    with_wrk: bool | None = None,
) -> Sent:
    """Send for so many seconds (whole ones with wrk, at least one), from the load's core. Blocks.

    LoadError when an answer was bad; wrk only tells bad statuses, so whoever needs more counts what arrived.
    `with_wrk`: None chooses wrk where it is there.
    """
    before = _own_cpu_s()
    with load_core():
        if wrk.available() if with_wrk is None else with_wrk:
            said = wrk.send_for(address, posts, in_flight, max(1, round(seconds)))
            return Sent(said.requests, said.wall_us / 1e6, _own_cpu_s() - before)
        load = send(address, for_seconds(iter(posts), seconds), in_flight, good)
    load.expect_all_good(f"{in_flight} in flight")
    return Sent(load.answered, load.wall_s, _own_cpu_s() - before)


def _own_cpu_s() -> float:
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + ended.ru_utime + ended.ru_stime
