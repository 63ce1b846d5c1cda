"""kill -9 of every process in turn, at random moments under load: nothing accepted is lost, nothing counts twice."""

import os
import random
import re
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from tests.reliability.box import Box
from tests.reliability.crowd import Crowd
from tests.reliability.truth import Undisturbed, assert_everything_once, carts, profiles, sessions, stored_ids

pytestmark = pytest.mark.network

VICTIMS = ("worker", "master", "ingest", "valkey", "clickhouse")
CHAOS_S = float(os.environ.get("BALIZA_TEST_CHAOS_S", "300"))
SEED = int(os.environ.get("BALIZA_TEST_SEED", "1"))


def wreak(box: Box, dice: random.Random, seconds: float, pause_s: tuple[float, float]) -> Counter[str]:
    """Kill one after the other, all of them in each round; now and then two at once. Answers how often each was killed."""
    killed: Counter[str] = Counter()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for victim in dice.sample(VICTIMS, len(VICTIMS)):
            time.sleep(dice.uniform(*pause_s))
            box.kill(victim)
            killed[victim] += 1
            if dice.random() < 0.2:
                other = dice.choice(VICTIMS)
                box.kill(other)
                killed[other] += 1
            if time.monotonic() >= until:
                break
    return killed


def assert_same_as_undisturbed(box: Box, undisturbed: Undisturbed, crowd: Crowd) -> int:
    """Sessions, carts and profiles; answers the number of sessions."""
    visitors = crowd.script()
    undisturbed.hear(visitors)
    wanted = sessions(undisturbed.client)
    with box.stores() as (redis, client):
        found = sessions(client)
        assert len(found) == len(wanted)
        assert [pair for pair in zip(found, wanted, strict=True) if pair[0] != pair[1]] == []
        assert carts(redis) == carts(undisturbed.redis)
        assert profiles(redis, visitors) == profiles(undisturbed.redis, visitors)
    return len(wanted)


def survive(box: Box, undisturbed: Undisturbed, kills: Sequence[str], seconds: float, rate: float) -> None:
    box.open()
    crowd = Crowd(box.url, datetime.now(UTC), SEED, batches_per_s=rate)
    dice = random.Random(SEED)
    crowd.wait_for(50)
    killed: Counter[str] = Counter()
    for victim in kills:
        box.kill(victim)
        killed[victim] += 1
        time.sleep(dice.uniform(0.1, 0.6))
    if seconds:
        killed += wreak(box, dice, seconds, (1.0, 7.0))
    box.until_well()
    ended = set(re.findall(r"^(\w+) has ended", box.output, re.M))
    assert ended <= {"public" if victim == "master" else victim for victim in killed}, "the others lived on"
    # If the master was the last to be killed, those whom it left behind have just said that all is well.
    crowd.wait_for(20, timeout_s=60.0)
    crowd.stop()
    box.until_nothing_waits()
    assert box.run("receipts", "--check") == "", "an event is not accounted for"
    with box.stores() as (_, client):
        stored = stored_ids(client)
    assert_everything_once(crowd, stored)
    count = assert_same_as_undisturbed(box, undisturbed, crowd)
    assert box.run("receipts", "--check") == "", "the receipts add up"
    print(  # noqa: T201 - the figures of this run
        f"\nkilled {dict(killed)}; answers {dict(crowd.answers)}, the slowest {crowd.slowest_s:.1f} s; "
        f"{len(crowd.taken)} ids taken, {len(stored)} stored, {len(crowd.repeats)} repeated orders, {count} sessions"
    )
    assert crowd.answers["broken"] + crowd.answers["503"] > 0, "nothing was ever away: nothing was tried"
    assert box.stop() == 0


def test_whatever_is_killed_no_accepted_event_is_lost_or_counted_twice(box: Box, undisturbed: Undisturbed) -> None:
    survive(box, undisturbed, VICTIMS, 0, 60)


@pytest.mark.long
@pytest.mark.timeout(CHAOS_S + 600)
def test_killing_everything_for_minutes_loses_and_doubles_nothing(box: Box, undisturbed: Undisturbed) -> None:
    survive(box, undisturbed, (), CHAOS_S, 60)
