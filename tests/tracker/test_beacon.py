"""Decoding a batch: clocks, limits, and the good events of a bad batch."""

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baliza.errors import BadRequest, TooLarge
from schema.events import MAX_BODY_BYTES, MAX_EVENT_BYTES, Event
from tests.support.collecting import START, event
from tracker.beacon import Decoded, decode
from tracker.checks import TimeWindow

NOW_MS = int(START.timestamp() * 1000)
WINDOW = TimeWindow(NOW_MS, 72 * 3_600_000, 300_000)


def batch(*events: Any, **fields: Any) -> bytes:
    return json.dumps({"key": "pk_demo", "visitor": "v-1", "events": events} | fields).encode()


def ids(decoded: Decoded) -> list[str]:
    return [each.event_id for each in decoded.events]


def test_a_sound_batch_keeps_its_body_as_it_came() -> None:
    body = batch(event(event_id="a"), event(event_id="b"))
    decoded = decode(body, WINDOW)
    assert (decoded.key, decoded.visitor, ids(decoded), decoded.rejected) == ("pk_demo", "v-1", ["a", "b"], [])
    assert decoded.body == body


def test_key_and_visitor_may_be_absent() -> None:
    decoded = decode(json.dumps({"events": [event()]}).encode(), WINDOW)
    assert (decoded.key, decoded.visitor) == ("", "")


def test_of_a_bad_batch_the_good_events_are_the_body() -> None:
    decoded = decode(batch(event(event_id="a"), 5, event(event_id="b", colour=1), event(event_id="c")), WINDOW)
    assert ids(decoded) == ["a", "c"]
    assert [each["event_id"] for each in json.loads(decoded.body)["events"]] == ["a", "c"]
    assert [bad.index for bad in decoded.rejected] == [1, 2]
    assert decoded.rejected[0].raw == b"5"


def test_one_huge_event_does_not_cost_the_others() -> None:
    decoded = decode(batch(event(event_id="a"), event(coupon="x" * 40_000), event(event_id="c")), WINDOW)
    assert (ids(decoded), [bad.too_large for bad in decoded.rejected]) == (["a", "c"], [True])


def test_a_long_batch_of_small_events_is_taken() -> None:
    body = batch(*[event(coupon="c" * 200) for _ in range(1000)])
    assert MAX_EVENT_BYTES < len(body) <= MAX_BODY_BYTES
    assert len(decode(body, WINDOW).events) == 1000


def test_an_event_may_have_32_kilobytes_and_a_body_512() -> None:
    sound = json.dumps(event(items=["A"])).encode()
    largest = sound[:-1] + b" " * (MAX_EVENT_BYTES - len(sound)) + b"}"
    assert len(decode(b'{"events": [' + largest + b"]}", WINDOW).events) == 1
    assert decode(b'{"events": [' + largest[:-1] + b" }]}", WINDOW).rejected[0].too_large
    assert len(decode(batch(event()).ljust(MAX_BODY_BYTES), WINDOW).events) == 1
    with pytest.raises(TooLarge, match=f"expected a body of at most {MAX_BODY_BYTES} bytes, got {MAX_BODY_BYTES + 1}"):
        decode(batch(event()).ljust(MAX_BODY_BYTES + 1), WINDOW)


@pytest.mark.parametrize("bad", [[], [5]])
@pytest.mark.parametrize(
    ("sent_s", "happened_s", "expected_s"),
    [
        (0, -60, -60),
        (4, -60, -60),  # so much is the way through the network
        (-5, -60, -60),
        (3600, 3590, -10),  # a clock that is an hour fast
        (-3600, -3660, -60),
        (-86_400 * 365 * 20, -86_400 * 365 * 20 - 5, -5),  # one that was never set
    ],
)
def test_a_wrong_clock_is_corrected_by_when_it_sent(
    bad: list[Any], sent_s: float, happened_s: float, expected_s: float
) -> None:
    sent_at = (START + timedelta(seconds=sent_s)).isoformat()
    decoded = decode(batch(event(at=happened_s), *bad, sent_at=sent_at), WINDOW)
    assert [(at - NOW_MS) / 1000 for at in decoded.times_ms] == [expected_s]


def test_only_those_asked_for_stay_in_the_body() -> None:
    decoded = decode(
        batch(*(event(at=-n, event_id=str(n), item=("A", "L", 39.9)) for n in range(4)), sent_at=START.isoformat()), WINDOW
    )
    kept = decoded.only([1, 3])
    again = decode(kept.body, WINDOW)
    assert again.events == kept.events == [decoded.events[1], decoded.events[3]]
    assert (kept.times_ms, kept.visitor) == ([NOW_MS - 1000, NOW_MS - 3000], "v-1")
    assert decoded.only(range(4)) is decoded


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=15,
)
FIELDS = st.sampled_from(Event.__struct_fields__)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(FIELDS, JSON, max_size=4), JSON)
def test_any_value_in_any_field_is_taken_or_explained(fields: dict[str, Any], other: Any) -> None:
    decoded = decode(batch(event() | fields, other, event(event_id="good")), WINDOW)
    assert ids(decoded)[-1] == "good"
    assert len(decoded.events) + len(decoded.rejected) == 3
    assert all(bad.error.startswith("expected ") and len(bad.error) < 800 for bad in decoded.rejected)
    assert decode(decoded.body, WINDOW).events == decoded.events


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60), st.integers(0, 200), st.integers(0, 60))
def test_any_bytes_are_taken_or_explained(junk: bytes, place: int, cut: int) -> None:
    body = batch(event(item=("A", "L", 5), at=-1))
    try:
        decoded = decode(body[:place] + junk + body[place + cut :], WINDOW)
    except BadRequest as error:
        assert str(error).startswith("expected ")  # noqa: PT017 - both ends are right
    else:
        assert len(decoded.events) + len(decoded.rejected) >= 1
