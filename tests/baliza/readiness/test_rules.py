"""Readiness and purpose without a model."""

import pytest

from baliza.readiness.rules import Purposes, purpose_of, purposes, rules_probability
from tests.baliza.readiness.visits import seen


def purpose(probability: float = 0.0, **given: float) -> str:
    features = seen(**given)
    return purpose_of(features, purposes(features, probability))


def test_nearer_to_the_till_is_likelier() -> None:
    steps = [seen(page_views=1), seen(item_views=1), seen(item_views=4), seen(item_views=4, most_looks=2),
             seen(item_views=4, cart_pieces=1), seen(item_views=4, cart_pieces=1, known=1)]  # fmt: skip
    found = [rules_probability(step) for step in steps]
    assert found == sorted(found)
    assert len(set(found)) == len(found)
    assert found[0] == pytest.approx(0.008)
    assert found[4] == pytest.approx(0.18)


def test_after_half_an_hour_as_much_is_left_as_of_real_carts() -> None:
    fresh = rules_probability(seen(cart_pieces=1))
    five, thirty = (rules_probability(seen(cart_pieces=1, idle_s=minutes * 60)) for minutes in (5, 30))

    def odds(probability: float) -> float:
        return probability / (1 - probability)

    assert odds(five) == pytest.approx(odds(fresh) / 2)
    assert 0.11 < odds(thirty) / odds(fresh) < 0.21  # 79 to 89 % are over by then


def test_no_visit_is_certain() -> None:
    everything = seen(cart_pieces=9, known=1, past_orders=9, most_looks=9, searched=1, item_views=99)
    assert 0.4 < rules_probability(everything) < 0.8
    assert 0 < rules_probability(seen(idle_s=1800)) < 0.002


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"page_views": 1}, "unknown"),
        ({"page_views": 1, "item_views": 1}, "unknown"),
        ({"page_views": 4}, "inform"),
        ({"page_views": 6, "item_views": 1}, "inform"),
        ({"page_views": 3, "item_views": 1}, "unknown"),
        ({"page_views": 4, "item_views": 2}, "browse"),
        ({"item_views": 3}, "browse"),
        ({"page_views": 1, "cart_adds": 1, "cart_pieces": 1}, "buy"),
        ({"page_views": 9, "item_views": 5, "orders": 1}, "buy"),
        ({"page_views": 1, "cart_pieces": 2}, "unknown"),  # of an earlier visit
        ({"page_views": 1, "cart_adds": 1}, "unknown"),  # and taken out again
    ],
)
def test_purposes(given: dict[str, float], expected: str) -> None:
    assert purpose(**given) == expected


def test_a_likely_order_is_the_purpose_before_anything_is_in_the_cart() -> None:
    looking = {"page_views": 4, "item_views": 4}
    assert [purpose(p, **looking) for p in (0.02, 0.1, 0.2)] == ["browse", "browse", "buy"]


def test_likely_purposes_add_up() -> None:
    for probability in (0.0, 0.1, 0.3, 1.0):
        found = purposes(seen(page_views=3, item_views=2), probability)
        assert sum(found) == pytest.approx(1)
        assert min(found) >= 0
    assert purposes(seen(), 0.0) == Purposes(0.5, 0.5, 0.0)
