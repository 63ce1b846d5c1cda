"""New things that had no chance yet."""

import pytest

from personalizer.offers.candidates.arrivals import new_arrivals
from personalizer.offers.situation import Situation
from tests.personalizer.planted import NOW_MS
from tests.personalizer.shops import DAY_MS, item, shop, told

KNOWN = shop(
    [
        item("lamp", "light"),
        item("moon", "light", first_seen_ms=NOW_MS - 2 * DAY_MS),
        item("sun", "light", first_seen_ms=NOW_MS - 20 * DAY_MS),
        item("tent", "travel", first_seen_ms=NOW_MS - DAY_MS),
    ],
    viewed=[("lamp",)] * 3,
)
LAMP, MOON, SUN, TENT = range(4)
NOW_S = NOW_MS // 1000


def strengths(situation: Situation) -> dict[int, float]:
    return {entry.item: entry.strength for entry in told(new_arrivals(KNOWN, situation))}


def test_the_newer_and_the_nearer_stand_higher() -> None:
    light = KNOWN.model.categories.tolist().index(b"light")
    found = strengths(Situation("category", page_category=light, interests=(light,), now_s=NOW_S))
    assert found.keys() == {MOON, SUN, TENT}
    assert found[MOON] > found[SUN] > found[TENT] > 0


def test_what_was_always_there_is_not_new() -> None:
    assert LAMP not in strengths(Situation("home", now_s=NOW_S))


def test_strength_by_hand_and_to_the_minute() -> None:
    known = shop([item("moon", "light", first_seen_ms=NOW_MS - 15 * DAY_MS)])
    for second in (0, 59 - NOW_S % 60):
        (moon,) = told(new_arrivals(known, Situation("home", interests=(0,), now_s=NOW_S + second)))
        assert moon.strength == pytest.approx(0.75, abs=1e-4)  # 1 - 0.5 · 15 days / 30 days


def test_nothing_is_new_for_ever() -> None:
    assert strengths(Situation("home", now_s=NOW_S + 40 * 86_400)) == {}
