"""What is worked out beforehand."""

from dataclasses import replace

import numpy as np
import pytest

from personalizer.feedback.responses import PRIOR_RATE, Responses
from personalizer.models.model import UNKNOWN
from personalizer.offers.insight import insight_of
from personalizer.offers.ranking import RATES, TYPICAL
from personalizer.offers.situation import Reason
from tests.personalizer.planted import NOW_MS
from tests.personalizer.shops import DAY_MS, item, planted_shop, shop

NEW = {"first_seen_ms": NOW_MS - DAY_MS}


def test_the_median_is_of_what_has_a_value() -> None:
    found = shop([item("a", price=10), item("b", price=20), item("c", price=300), item("d", price=None)])
    assert found.median_value == 20


def test_a_shop_without_prices_has_one_of_one() -> None:
    assert shop([item("a", price=None)]).median_value == 1


def test_what_is_new_and_hardly_seen_is_an_arrival_by_category_and_overall() -> None:
    found = shop(
        [item("a", "x", **NEW), item("b", "y", first_seen_ms=NOW_MS - 2 * DAY_MS), item("c", "x"),
         item("d", "x", first_seen_ms=NOW_MS - 31 * DAY_MS), item("e", "x", availability="out_of_stock", **NEW)],
    )  # fmt: skip
    assert {key: [item for item, _ in row] for key, row in found.arrivals.items()} == {0: [0], 1: [1], UNKNOWN: [0, 1]}


def test_who_was_looked_at_often_had_a_chance() -> None:
    assert shop([item("a", "x", **NEW)], viewed=[("a",)] * 40).arrivals == {}


def test_without_habits_company_tells_who_was_looked_at() -> None:
    found = shop([item("a", "x", **NEW), item("b", "x", **NEW), item("c", "x", **NEW)], viewed=[("a", "b")] * 3)
    old = insight_of(replace(found.model, habits=None), found.wares, NOW_MS // 1000)
    assert [item for item, _ in old.arrivals[0]] == [2]


def test_pieces_are_what_is_no_product() -> None:
    found = shop([item("a", kind="promotion"), item("b"), item("c", kind="subscription", availability="out_of_stock")])
    assert found.pieces == {Reason.PROMOTION: ([0], [UNKNOWN])}


def test_rates_are_as_learned_where_a_source_was_shown_before() -> None:
    prior = Responses.prior(1)
    learned = replace(
        prior, sources=np.array([b"best_seller"]), placements=np.array([b"home"]),
        rates=np.array([[0.08, 0.02], [0.04, 0.02]], np.float32),
        curve=np.repeat(prior.curve, 2, axis=0), examination=np.repeat(prior.examination, 2, axis=0),
    )  # fmt: skip
    known = shop([item("a")], responses=learned)
    assert known.rates("home")[Reason.BEST_SELLER] == pytest.approx(0.08 / TYPICAL[Reason.BEST_SELLER])
    assert known.rates("cart")[Reason.BEST_SELLER] == pytest.approx(0.04 / TYPICAL[Reason.BEST_SELLER])
    assert known.rates("home")[Reason.BOUGHT_TOGETHER] == RATES[Reason.BOUGHT_TOGETHER]


def test_the_likelier_next_item_gets_the_likelier_response() -> None:
    low, typical, high = (PRIOR_RATE * height for height in planted_shop().curve("home", [0.001, 0.02, 0.5]))
    assert low < typical < high
    assert typical == pytest.approx(PRIOR_RATE, rel=0.1)
