import random
from datetime import UTC, datetime

from demo.catalogue import PRODUCTS
from demo.people import new_shopper
from demo.walks import Step, walk
from loadtests.moments import moments


def steps(*pauses: float) -> list[Step]:
    return [Step({"event_id": str(place)}, pause) for place, pause in enumerate(pauses)]


def ids(*pauses: float) -> list[tuple[float, list[object]]]:
    return [(pause, [event["event_id"] for event in said]) for pause, said in moments(steps(*pauses))]


def test_events_without_a_pause_belong_to_the_one_before() -> None:
    assert ids(0, 0, 5, 0, 0, 7) == [(0, ["0", "1"]), (5, ["2", "3", "4"]), (7, ["5"])]


def test_the_first_pause_is_kept() -> None:
    assert ids(3, 0) == [(3, ["0", "1"])]


def test_no_steps_make_no_moments() -> None:
    assert ids() == []


def test_nothing_of_a_walk_is_lost() -> None:
    def made() -> list[Step]:
        rng = random.Random(5)
        return list(walk(new_shopper(rng), PRODUCTS, rng, datetime(2026, 11, 21, 10, tzinfo=UTC)))

    said = [event for _, together in moments(made()) for event in together]
    assert said == [step.event for step in made()]
