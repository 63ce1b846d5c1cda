"""Readiness on public logs: how they are read, and what is reached on them."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from loadtests.readiness import five_folds, moments_of, online_shoppers, retailrocket, score_us, shared
from personalizer.readiness.learning import judge, learn
from tests.personalizer.readiness.shoppers import moments
from tests.support.real_log import real_log


def test_a_log_becomes_visits_with_carts_and_orders(tmp_path: Path) -> None:
    file = tmp_path / "events.csv.gz"
    rows = ["100,7,view,A,1", "160,7,addtocart,A,1", "200,7,transaction,A,1", "9000,7,view,B,2", "50,8,addtocart,C,3"]
    file.write_bytes(gzip.compress("\n".join(["timestamp,visitorid,event,itemid,categoryid", *rows]).encode()))
    events = list(retailrocket(file))
    assert [(each.visitor_id, each.kind, each.at_ms, each.cart_pieces) for each in events] == [
        ("7", "view_item", 100_000, 0), ("7", "add_to_cart", 160_000, 1), ("7", "purchase", 200_000, 0),
        ("7", "view_item", 9_000_000, 0), ("8", "add_to_cart", 50_000, 1),
    ]  # fmt: skip
    assert [each.session_id for each in events] == ["1", "1", "1", "2", "3"]
    assert moments_of([*events, events[0]._replace(visitor_id="9", at_ms=99_999_999)]).buyers() == 1


def test_leaks_no_outcome_into_the_features_of_online_shoppers(tmp_path: Path) -> None:
    file = tmp_path / "shoppers.csv.gz"
    text = "BounceRates,PageValues,Month,VisitorType,Weekend,Revenue\n0.5,9,Feb,New,TRUE,TRUE\n0.1,0,Mar,Old,FALSE,FALSE\n"
    file.write_bytes(gzip.compress(text.encode()))
    features, bought = online_shoppers(file)
    assert features.tolist() == [[0.5, 1, 0, 1, 0, 0, 1], [0.1, 0, 1, 0, 1, 1, 0]]
    assert bought.tolist() == [1, 0]


@pytest.mark.alone
def test_a_score_takes_microseconds() -> None:
    seen = moments(1500, wanting=0.4)
    file = learn(seen, {}, site="demo", version="1", trained_at="")
    assert file.basis == "model"
    assert score_us(file, seen, 4000) < 100  # 25 on the machine of docs/readiness.md


@pytest.mark.long
def test_on_a_real_shops_log_it_is_calibrated_and_better_than_the_rules() -> None:
    judged = judge(moments_of(list(retailrocket(real_log()))))
    assert judged is not None
    assert judged.better
    assert judged.model.auc > 0.80
    assert judged.model.ece < 0.01
    assert judged.rules.auc > 0.72
    assert judged.purposes["buy"].bought > 3 * judged.purposes["browse"].bought


@pytest.mark.long
def test_learners_are_as_good_as_the_references_on_online_shoppers() -> None:
    try:
        file = shared("online-shoppers/online_shoppers_intention.csv.gz")
    except FileNotFoundError as missing:
        pytest.skip(str(missing))
    found = five_folds(*online_shoppers(file))
    assert found["trees"] > 0.775
    assert found["bins"] > found["plain logistic"] - 0.002
    assert np.isfinite(list(found.values())).all()
