"""Decisions by tables."""

from decimal import Decimal

import pytest

from personalizer.decision import Offer, decide
from schema.profile import VisitorProfile
from tests.personalizer.planted import ITEMS, NOW_MS, planted_model, profile

MODEL = planted_model()


def offers(
    who: VisitorProfile | None = None, placement: str = "default", item_id: str | None = None, limit: int = 10
) -> list[Offer]:
    return decide(MODEL, who, placement, item_id, limit, NOW_MS)


def pairs(found: list[Offer]) -> list[tuple[str, str]]:
    return [(offer.item_id, offer.reason) for offer in found]


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
    assert pairs(offers(who, placement, item_id))[0] == first


@pytest.mark.parametrize(
    ("who", "placement", "item_id", "never"),
    [
        (profile(cart=["bulb", "lamp"]), "cart", None, {"bulb", "lamp"}),
        (profile(viewed=["bulb", "lamp"], bought=["bulb"]), "home", None, {"bulb"}),
        (profile(viewed=["rug"], cart=["lamp"], bought=["torch"]), "home", "bulb", {"lamp", "torch", "bulb"}),
        (profile(viewed=["rug", "lamp"]), "product-detail", None, {"lamp"}),
        (profile(viewed=["lamp"]), "product-detail", "rug", {"rug"}),
        (profile(cart=ITEMS), "cart", None, set(ITEMS)),
    ],
)
def test_never_offers_what_is_there_already(
    who: VisitorProfile, placement: str, item_id: str | None, never: set[str]
) -> None:
    found = {offer.item_id for offer in offers(who, placement, item_id, limit=50)}
    assert found == set(ITEMS) - never


def test_sources_come_in_their_order() -> None:
    found = pairs(offers(profile(viewed=["rug", "torch"]), "home-hero"))
    reasons = [reason for _, reason in found]
    order = ["bought_together", "viewed_together", "viewed_not_bought", "best_seller"]
    assert reasons.index("viewed_not_bought") < reasons.index("best_seller")
    assert [reason for reason in reasons if order.index(reason) < 2] == reasons[: reasons.index("viewed_not_bought")]


def test_each_item_is_offered_once() -> None:
    found = [offer.item_id for offer in offers(profile(viewed=ITEMS[:4]), limit=50)]
    assert len(found) == len(set(found))


@pytest.mark.parametrize("limit", [1, 3, 6, 50])
def test_gives_as_many_as_asked_and_there_are(limit: int) -> None:
    assert len(offers(limit=limit)) == min(limit, len(ITEMS))


def test_an_offer_says_all_about_its_item() -> None:
    assert offers(None, "product-detail", "phone")[0] == Offer(
        rank=1, item_id="case", title="Case", url="http://shop.test/p/case", image="", price=Decimal("39.90"),
        currency="EUR", score=offers(None, "product-detail", "phone")[0].score, reason="bought_together",
        reason_text="Often bought together with Phone", response_code="product-detail.bought_together",
    )  # fmt: skip


def test_ranks_count_from_one_and_scores_stay_within_bounds() -> None:
    found = offers(profile(viewed=["lamp", "phone"], cart=["rug"]), limit=50)
    assert [offer.rank for offer in found] == list(range(1, len(found) + 1))
    assert all(0 <= offer.score <= 1 for offer in found)


def test_the_same_question_has_the_same_answer() -> None:
    who = profile(viewed=["lamp", "phone"], cart=["rug"])
    assert offers(who) == offers(who)
