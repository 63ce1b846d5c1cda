"""Decisions by tables."""

from random import Random

import pytest

from personalizer.offers.decision import Choice, Dial, decide
from personalizer.offers.insight import Insight
from personalizer.offers.situation import Question, Reason
from schema.profile import VisitorProfile
from tests.personalizer.planted import ITEMS, NOW_MS, profile
from tests.personalizer.shops import DAY_MS, item, planted_shop, shop

KNOWN = planted_shop()
STILL = Dial(explore=0.0)


def ask(
    who: VisitorProfile | None = None, placement: str = "default", item_id: str | None = None, limit: int = 10,
    known: Insight = KNOWN, dial: Dial = STILL, seed: int = 1, **more: object,
) -> Choice:  # fmt: skip
    question = Question(placement, item_id, limit=limit, **more)  # type: ignore[arg-type]
    return decide(known, who, question, dial, Random(seed), NOW_MS)


def pairs(choice: Choice) -> list[tuple[str, str]]:
    return [(chosen.facts.item_id, chosen.ranked.reason.value) for chosen in choice.chosen]


def names(choice: Choice) -> list[str]:
    return [chosen.facts.item_id for chosen in choice.chosen]


@pytest.mark.parametrize(
    ("who", "placement", "item_id", "first"),
    [
        (None, "home-hero", None, ("rug", "best_seller")),
        (None, "product-detail", "phone", ("case", "bought_together")),
        (profile(cart=["lamp"]), "cart", None, ("bulb", "bought_together")),
        (profile(viewed=["lamp"]), "home-hero", None, ("torch", "viewed_together")),
        (profile(viewed=["phone"]), "product-detail", None, ("case", "bought_together")),
        (profile(viewed=["ghost"]), "home-hero", None, ("rug", "best_seller")),
        (None, "product-detail", "ghost", ("rug", "best_seller")),
    ],
)
def test_first_offer(who: VisitorProfile | None, placement: str, item_id: str | None, first: tuple[str, str]) -> None:
    assert pairs(ask(who, placement, item_id))[0] == first


@pytest.mark.parametrize(
    ("who", "placement", "item_id", "never"),
    [
        (profile(cart=["bulb", "lamp"]), "home", None, {"bulb", "lamp"}),
        (profile(cart=["bulb", "lamp"]), "cart", None, {"bulb", "lamp", "torch"}),
        (profile(viewed=["bulb", "lamp"], bought=["bulb"]), "home", None, {"bulb"}),
        (profile(viewed=["rug"], cart=["lamp"], bought=["case"]), "home", "bulb", {"lamp", "case", "bulb"}),
        (profile(viewed=["rug", "lamp"]), "product-detail", None, {"lamp"}),
        (profile(viewed=["lamp"]), "product-detail", "rug", {"rug"}),
        (profile(cart=ITEMS), "cart", None, set(ITEMS)),
    ],
)
def test_never_offers_what_is_there_already(
    who: VisitorProfile, placement: str, item_id: str | None, never: set[str]
) -> None:
    choice = ask(who, placement, item_id, limit=50)
    assert set(names(choice)) == set(ITEMS) - never
    assert {KNOWN.model.facts(number).item_id for number in choice.left_out} <= never


def test_what_is_left_out_has_its_rule() -> None:
    choice = ask(profile(viewed=["lamp"], cart=["bulb"], bought=["phone"]), "product-detail", limit=50)
    told = {KNOWN.model.facts(number).item_id: rule for number, rule in choice.left_out.items()}
    assert told == {"lamp": "on_the_page", "bulb": "in_the_cart", "phone": "bought_before"}


def test_each_item_is_offered_once() -> None:
    found = names(ask(profile(viewed=ITEMS[:4]), limit=50))
    assert len(found) == len(set(found))


@pytest.mark.parametrize("limit", [1, 3, 6, 50])
def test_gives_as_many_as_asked_and_there_are(limit: int) -> None:
    assert len(ask(limit=limit).chosen) == min(limit, len(ITEMS))


def test_the_same_question_has_the_same_answer() -> None:
    who = profile(viewed=["lamp", "phone"], cart=["rug"])
    explored = Dial(explore=0.3)
    first, again = (ask(who, dial=explored, limit=4) for _ in range(2))
    assert (first.chosen, first.left_out) == (again.chosen, again.left_out)


def test_p_is_a_probability_and_ranks_fall_with_the_expected_value_within_a_category() -> None:
    found = ask(profile(viewed=["lamp", "phone"], cart=["rug"]), limit=50).chosen
    assert all(0 < chosen.ranked.p < 1 for chosen in found)
    for category in {chosen.ranked.category for chosen in found}:
        scores = [chosen.ranked.score for chosen in found if chosen.ranked.category == category]
        assert scores == sorted(scores, reverse=True)


def test_a_hurried_decision_goes_without_the_model_of_next_items() -> None:
    question = Question("home", limit=3)
    choice = decide(KNOWN, profile(viewed=["lamp"]), question, STILL, Random(1), NOW_MS, lambda: True)
    assert choice.hurried
    assert len(choice.chosen) == 3
    assert Reason.NEXT_ITEM not in {group.reason for group in choice.found}


def test_an_empty_shop_has_nothing_to_offer() -> None:
    assert ask(known=shop([])).chosen == []


SHELF = shop(
    [item(f"i{n:02}", f"c{n % 4}", price=10 + n) for n in range(30)]
    + [item(f"new{n}", "c0", first_seen_ms=NOW_MS - DAY_MS) for n in range(3)],
    bought=[(f"i{n:02}",) for n in range(30) for _ in range(40 - n)],
)


def test_the_explored_share_of_what_is_shown_is_what_was_asked_and_the_first_place_stays() -> None:
    best = names(ask(known=SHELF, limit=5))
    shown = [ask(known=SHELF, limit=5, dial=Dial(explore=0.1), seed=seed) for seed in range(600)]
    tried = [chosen for choice in shown for chosen in choice.chosen if chosen.tried]
    assert len(tried) / (5 * len(shown)) == pytest.approx(0.1, abs=0.025)
    assert {choice.chosen[0].facts.item_id for choice in shown} == {best[0]}
    assert not {chosen.facts.item_id for chosen in tried} & set(best)


def test_propensities_are_how_often_it_happens() -> None:
    runs = 3000
    counts: dict[tuple[int, str], int] = {}
    said: dict[tuple[int, str], float] = {}
    for seed in range(runs):
        for place, chosen in enumerate(ask(known=SHELF, limit=4, dial=Dial(explore=0.2), seed=seed).chosen):
            key = place, chosen.facts.item_id
            counts[key] = counts.get(key, 0) + 1
            said[key] = chosen.propensity
    for key, count in counts.items():
        assert count / runs == pytest.approx(said[key], abs=0.03), key
    assert sum(said[key] for key in said if key[0] == 3) == pytest.approx(1)


def test_a_full_list_still_tells_of_what_there_was_enough() -> None:
    known = shop([item(f"i{n}", "one") for n in range(8)] + [item(f"j{n}", "two") for n in range(8)],
        bought=[(f"i{n}",) for n in range(8)] * 9 + [(f"j{n}",) for n in range(8)])  # fmt: skip
    found = ask(known=known, limit=5)
    assert len(names(found)) == 5
    assert "enough_of_category" in found.left_out.values()
