"""What the shop gets, what is explained, what is written down."""

from decimal import Decimal
from math import isnan
from random import Random

import pytest
from msgspec import UNSET

from personalizer.offers.answer import VALID_S, LeftOut, Offer, explained, offers_of, record_of
from personalizer.offers.decision import Choice, Dial, decide
from personalizer.offers.insight import Insight
from personalizer.offers.situation import Question
from schema.profile import VisitorProfile
from tests.personalizer.planted import NOW_MS, profile
from tests.personalizer.shops import item, planted_shop, shop

KNOWN = planted_shop()
STILL = Dial(explore=0.0)


def choose(who: VisitorProfile | None, question: Question, known: Insight = KNOWN, dial: Dial = STILL) -> Choice:
    return decide(known, who, question, dial, Random(3), NOW_MS)


def first(who: VisitorProfile | None, question: Question, known: Insight = KNOWN) -> Offer:
    return offers_of(known, choose(who, question, known), NOW_MS)[0]


def test_an_offer_says_all_about_its_item() -> None:
    found = first(None, Question("product-detail", "phone"))
    assert 0 < found.score < 1
    assert found == Offer(
        rank=1, item_id="case", title="Case", url="http://shop.test/p/case", image="", price=Decimal("39.90"),
        currency="EUR", score=found.score, reason="bought_together", reason_text="Often bought together with Phone",
        response_code="product-detail.bought_together", expires_at="2026-11-21T12:30:00Z", explain=UNSET,
    )  # fmt: skip


def test_ranks_count_from_one() -> None:
    found = offers_of(KNOWN, choose(profile(viewed=["lamp"]), Question(limit=50)), NOW_MS)
    assert [offer.rank for offer in found] == list(range(1, len(found) + 1))


def test_what_expires_sooner_says_so() -> None:
    known = shop([item("sale", expires_ms=NOW_MS + 60_000), item("year", expires_ms=NOW_MS + 400 * 86_400_000)])
    found = {offer.item_id: offer.expires_at for offer in offers_of(known, choose(None, Question(), known), NOW_MS)}
    assert found == {"sale": "2026-11-21T12:01:00Z", "year": "2026-11-21T12:30:00Z"}
    assert VALID_S == 1800


@pytest.mark.parametrize(
    ("who", "text"),
    [
        (profile(cart=["lamp"]), "Goes with Lamp in your cart"),
        (profile(bought=["lamp"]), "Goes with Lamp, which you bought"),
    ],
)
def test_a_sentence_that_the_shopper_could_read(who: VisitorProfile, text: str) -> None:
    assert first(who, Question("cart")).reason_text == text


def test_what_is_on_the_page_may_be_named_to_anybody() -> None:
    assert first(None, Question("product", "phone")).reason_text == "Often bought together with Phone"


def test_explains_each_offer_and_what_was_left_out() -> None:
    choice = choose(profile(cart=["lamp"]), Question("cart", limit=2))
    offers, left_out = explained(KNOWN, choice, offers_of(KNOWN, choice, NOW_MS))
    why = offers[0].explain
    assert why is not UNSET
    assert why.sources[0].source == "bought_together"
    missed = 1.0
    for said in why.sources:
        missed *= 1 - said.p
    assert why.p == pytest.approx(1 - missed, abs=1e-4)
    assert (why.value, why.worth, why.propensity, why.tried) == (39.9, 1.0, 1.0, False)
    assert why.expected == pytest.approx(why.p)
    assert LeftOut("lamp", "in_the_cart") in left_out


def test_writes_down_what_learning_needs() -> None:
    choice = choose(profile(viewed=["lamp"]), Question("home", limit=4), dial=Dial(explore=0.3))
    offers = offers_of(KNOWN, choice, NOW_MS)
    record = record_of(KNOWN, choice, offers, "demo", "d-1", "v-1", "s-1", "", NOW_MS)
    assert (record.site, record.decision_id, record.visitor_id, record.session_id) == ("demo", "d-1", "v-1", "s-1")
    assert (record.placement, record.model, record.decided_at_ms) == ("home", "of-a-test", NOW_MS)
    assert [(one.item_id, one.rank, one.reason) for one in record.offers] == [
        (offer.item_id, offer.rank, offer.reason) for offer in offers
    ]
    assert [one.propensity for one in record.offers] == [chosen.propensity for chosen in choice.chosen]
    assert record.offers[0].propensity == 1 > record.offers[-1].propensity
    assert record.explored == any(chosen.tried for chosen in choice.chosen)
    assert all(isnan(one.p_next) for one in record.offers), "there is no model of next items here"
    assert all(0 < one.p_response < 1 and one.value == pytest.approx(39.9) for one in record.offers)
