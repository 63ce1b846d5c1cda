import random
from collections import Counter

from demo.catalogue import CATEGORIES
from demo.people import Source, new_shopper


def test_same_chance_makes_the_same_shopper() -> None:
    assert new_shopper(random.Random(7)) == new_shopper(random.Random(7))


def test_shoppers_have_one_or_two_tastes() -> None:
    rng = random.Random(1)
    slugs = {shelf.slug for shelf in CATEGORIES}
    for _ in range(100):
        tastes = new_shopper(rng).tastes
        assert 1 <= len(tastes) <= 2
        assert set(tastes) <= slugs


def test_three_in_a_hundred_are_robots_and_say_so() -> None:
    rng = random.Random(1)
    crowd = [new_shopper(rng) for _ in range(4000)]
    robots = [shopper for shopper in crowd if shopper.is_bot]
    assert 80 <= len(robots) <= 160
    assert all("bot" in shopper.user_agent.lower() for shopper in robots)
    assert not any(shopper.customer_id for shopper in robots)


def test_people_use_phones_and_desktops() -> None:
    rng = random.Random(1)
    agents = Counter("Mobile" in new_shopper(rng).user_agent for _ in range(1000))
    assert min(agents.values()) > 300


def test_campaign_tags_ride_on_the_landing_address() -> None:
    source = Source("", (("utm_source", "newsletter"), ("utm_medium", "e mail")))
    assert source.tagged("https://s.example/") == "https://s.example/?utm_source=newsletter&utm_medium=e+mail"
    assert Source("").tagged("https://s.example/") == "https://s.example/"
