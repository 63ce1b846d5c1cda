"""When ingest stops and says so, and how little it says."""

import logging

import pytest

from baliza import metrics
from baliza.errors import StoreDown
from baliza.stores import RedisClient
from schema import keys
from tracker.brake import Brake, Braked, Complaints, Tally, braked


@pytest.mark.redis
def test_a_pulled_brake_is_told_to_everybody_until_it_works_again(
    redis_client: RedisClient, caplog: pytest.LogCaptureFixture
) -> None:
    brake = Brake(redis_client, 2)
    brake.pull(Braked("no such column"))
    assert braked(redis_client, 3) == {2: "no such column"}
    assert 0 < redis_client.pttl(keys.braked(2)) <= keys.BRAKED_MS
    assert metrics.INGEST_BRAKED._value.get() == 1
    brake.release()
    assert braked(redis_client, 3) == {}
    assert metrics.INGEST_BRAKED._value.get() == 0
    assert "the brake is released" in caplog.text


@pytest.mark.redis
def test_the_word_of_a_killed_worker_goes_with_the_first_success_of_the_next(redis_client: RedisClient) -> None:
    Brake(redis_client, 0).pull(Braked("killed after this"))
    Brake(redis_client, 0).release()
    assert braked(redis_client, 1) == {}


def test_many_bad_ones_are_too_bad_also_when_they_come_one_by_one() -> None:
    tally = Tally(20)
    for _ in range(20):
        assert not tally.too_bad(1, 0)
        tally.count(1, 0)
    assert tally.too_bad(1, 0)
    assert not tally.too_bad(1, 21)


def test_single_bad_ones_among_many_never_are() -> None:
    tally = Tally(20)
    for _ in range(5_000):
        assert not tally.too_bad(1, 9)
        tally.count(1, 9)


def test_good_times_long_ago_excuse_nothing() -> None:
    tally = Tally(20)
    tally.count(0, 1_000_000)
    for _ in range(60):
        tally.count(20, 0)
    assert tally.too_bad(1, 0)


def test_a_trouble_is_said_when_it_is_new_and_every_five_minutes(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    now = [0.0]
    complaints = Complaints(lambda: now[0])
    for now[0] in range(0, 601, 30):
        complaints.say(logging.WARNING, "events wait", StoreDown("the history does not answer"), 30)
    assert [record.getMessage().split(" (")[0] for record in caplog.records] == ["events wait"] * 3
    complaints.say(logging.CRITICAL, "BRAKED", Braked("why"), 30)
    complaints.over()
    complaints.over()
    assert [record.getMessage() for record in caplog.records[3:]] == [
        "BRAKED (try 22, the next in 30 s): why",
        "events are carried again after 600 s and 22 tries",
    ]
