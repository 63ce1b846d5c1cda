import pytest

from loadtests.carrying import events_in, past_visits


@pytest.mark.parametrize("events", [50, 2_000])
def test_makes_up_enough_events_and_hardly_more(events: int) -> None:
    visits = past_visits(events, days=14, seed=7)
    total = sum(events_in(visit) for visit in visits)
    assert events <= total < events + events_in(visits[-1])


def test_all_events_are_different() -> None:
    ids = [event["event_id"] for visit in past_visits(2_000, 14, 7) for event in visit.body["events"]]  # type: ignore[attr-defined]
    assert len(set(ids)) == len(ids)
