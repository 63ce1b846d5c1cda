"""Learning responses from a real history."""

import logging
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from baliza.settings import Settings
from baliza.sites import Site
from baliza.stores import History
from personalizer.feedback import history as module
from personalizer.feedback.history import learn_responses, read_shown
from personalizer.feedback.position import Shown
from personalizer.feedback.responses import BINS, PRIOR_RATE, Responses, bin_of
from personalizer.learning.span import Span
from personalizer.models.store import ModelStore
from personalizer.offers.insight import insight_of
from personalizer.offers.insights import own_view
from personalizer.offers.ranking import RATES
from personalizer.offers.situation import Reason
from tests.personalizer.feedback.records import logged_offer
from tests.personalizer.feedback.simulated import SOURCES, World
from tests.personalizer.feedback.told import NOW, START, bought, decide, offered, tell, told
from tests.personalizer.planted import ITEMS as PLANTED
from tests.personalizer.planted import planted_model

pytestmark = pytest.mark.clickhouse
SITE = Site("demo", "pk_demo", "")
ITEMS = ["bulb", "case", "lamp", "rug"]
DAY_MS = 86_400_000
NOW_MS = round(NOW.timestamp() * 1000)
SPAN = Span(NOW_MS - 90 * DAY_MS, NOW_MS, NOW_MS - 80 * DAY_MS, NOW_MS, 100, 1000)


def read(history: History) -> Shown:
    return read_shown(history, SITE, SPAN.since_ms, SPAN.until_ms, ITEMS)


def learned(history: History, items: list[str] = ITEMS) -> Responses:
    return learn_responses(history, SITE, SPAN, items, NOW)


def test_without_decisions_there_is_the_prior(history: History) -> None:
    found = learned(history)
    assert found.sound(len(ITEMS))
    assert found.rates[0, 0] == pytest.approx(PRIOR_RATE)


def test_reads_what_was_seen_with_its_numbers(history: History) -> None:
    offers = (
        logged_offer("rug", 1, source="sellers", p_next=0.3, propensity=0.98),
        logged_offer("bulb", 2, source="together", propensity=0.01),
        logged_offer("gone", 3, source="together", p_next=0.002),
        logged_offer("case", 4, source="together", p_next=0.002),
    )
    decide(history, offered("d-1", "", offers=offers, placement="home", explored=True))
    tell(history, told("offer_shown", "d-1", "rug bulb gone"), told("offer_clicked", "d-1", "bulb"))
    found = read(history)
    assert (found.placements, found.sources) == (("home",), ("sellers", "together"))
    order = np.argsort(found.rank)
    assert found.rank[order].tolist() == [1, 2, 3]
    assert found.item[order].tolist() == [3, 0, -1]
    assert found.source[order].tolist() == [0, 1, 1]
    assert found.explored[order].tolist() == [False, True, False]
    assert found.clicked[order].tolist() == [0, 1, 0]
    assert found.weight[order] == pytest.approx([1 / 0.98, 100, 1], rel=1e-5)


def test_bins_are_those_that_ranking_reads(history: History) -> None:
    p_next = [1.0, 0.8, 0.5, 0.3, 0.02, 0.001, 2.0**-14, 1e-8, float("nan")]
    offers = tuple(logged_offer(f"i-{rank}", rank, p_next=p) for rank, p in enumerate(p_next, start=1))
    decide(history, offered("d-1", "", offers=offers))
    tell(history, told("offer_shown", "d-1", " ".join(offer.item_id for offer in offers)))
    found = read(history)
    assert found.bin[np.argsort(found.rank)].tolist() == bin_of(np.array(p_next, np.float32)).tolist()
    assert found.bin.max() == BINS
    assert found.belief.tolist() == found.bin.tolist()  # of what was reckoned nothing was written down


def test_what_was_reckoned_tells_alike_offers_apart(history: History) -> None:
    offers = tuple(logged_offer("bulb", 1, p_next=0.1, p_response=p) for p in (0.01, 0.3))
    decide(history, *(offered(f"d-{n}", "", offers=(offer,)) for n, offer in enumerate(offers)))
    tell(history, *(told("offer_shown", f"d-{n}", "bulb") for n in range(2)))
    found = read(history)
    assert sorted(found.belief.tolist()) == bin_of(np.array([0.01, 0.3])).tolist()
    assert len(set(found.bin.tolist())) == 1


def test_carried_twice_and_told_again_counts_once(history: History) -> None:
    decide(history, offered("d-1", "bulb"))
    decide(history, offered("d-1", "bulb"), offered("d-2", "bulb"))
    for _ in range(2):
        tell(history, told("offer_shown", "d-1", "bulb"), told("offer_clicked", "d-1", "bulb"))
    assert read(history).shown.tolist() == [1]


def test_bots_and_the_flood_of_one_visitor_decide_nothing(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_OF_VISITOR", 5)
    flood = [offered(f"d-{number}", "bulb") for number in range(50)]
    decide(history, *flood, offered("good", "rug", visitor_id="v-2"), offered("bot", "case", visitor_id="v-3"))
    tell(history, *(told("offer_shown", record.decision_id, "bulb") for record in flood))
    tell(history, told("offer_shown", "good", "rug", visitor_id="v-2"))
    tell(history, told("page_view", "", "", visitor_id="v-3", bot="crawler", session_id="s-3"))
    tell(history, told("offer_shown", "bot", "case", visitor_id="v-3"))
    found = read(history)
    assert dict(zip(found.item.tolist(), found.shown.tolist(), strict=True)) == {0: 5, 3: 1}


def test_of_a_long_history_a_share_of_the_decisions_is_read(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    decide(history, *(offered(f"d-{number}", "bulb rug", visitor_id=f"v-{number}") for number in range(400)))
    tell(history, *(told("offer_shown", f"d-{number}", "bulb rug", visitor_id=f"v-{number}") for number in range(400)))
    assert read(history).shown.sum() == 800
    monkeypatch.setattr(module, "MOST_OFFERS", 200)
    assert 100 < read(history).shown.sum() < 300


def clicks(history: History, placement: str, visitors: int, each: int, *kinds: str) -> None:
    """Decisions for so many visitors, `each` of them answered in this way."""
    names = [
        (f"{placement}-{kinds[0]}-{visitor}-{n}", f"{placement}-{visitor}")
        for visitor in range(visitors)
        for n in range(each)
    ]
    decide(history, *(offered(name, "bulb rug", placement=placement, visitor_id=visitor) for name, visitor in names))
    tell(history, *(told(kind, name, "bulb", visitor_id=visitor) for name, visitor in names for kind in kinds))


def test_a_placement_whose_clicks_come_without_word_of_showing_teaches_nothing(
    history: History, caplog: pytest.LogCaptureFixture
) -> None:
    decide(history, offered("d-2", "rug", placement="home"))
    tell(history, told("offer_shown", "d-2", "rug"))
    clicks(history, "mail", 12, 1, "offer_clicked")
    clicks(history, "mail", 4, 1, "offer_shown", "offer_clicked")
    with caplog.at_level(logging.WARNING):
        found = read(history)
    assert found.shown.tolist() == [1]
    assert found.placements[found.placement[0]] == "home"
    assert "nothing is learned of mail" in caplog.text


def test_a_few_visitors_who_click_on_what_was_not_shown_stop_no_learning(
    history: History, caplog: pytest.LogCaptureFixture
) -> None:
    clicks(history, "home", 8, 1, "offer_shown", "offer_clicked")
    clicks(history, "home", 3, 40, "offer_clicked")
    clicks(history, "cart", 1, 1, "offer_shown")
    clicks(history, "cart", 9, 40, "offer_clicked")
    with caplog.at_level(logging.WARNING):
        found = read(history)
    assert {
        found.placements[place]: (found.shown[found.placement == place].sum(), found.clicked[found.placement == place].sum())
        for place in range(len(found.placements))
    } == {"cart": (1, 0), "home": (8, 8)}
    assert "nothing is learned" not in caplog.text


def test_a_decision_of_which_something_unshown_was_clicked_is_left_out(history: History) -> None:
    decide(history, offered("d-1", "bulb rug"), offered("d-2", "bulb rug", visitor_id="v-2"))
    tell(
        history,
        told("offer_shown", "d-1", "bulb"),
        told("offer_clicked", "d-1", "rug"),
        told("offer_shown", "d-2", "bulb rug"),
    )
    found = read(history)
    assert (found.shown.sum(), found.clicked.sum()) == (2, 0)


def test_what_was_decided_a_moment_ago_has_had_no_chance_yet(history: History) -> None:
    decide(history, offered("d-1", "bulb", NOW - timedelta(minutes=1)))
    tell(history, told("offer_shown", "d-1", "bulb", NOW - timedelta(minutes=1)))
    assert len(learned(history).placements) == 0


def test_orders_after_clicks_teach_how_often_clicks_end_in_orders(history: History) -> None:
    records = [offered(f"d-{number}", "bulb", visitor_id=f"v-{number}") for number in range(60)]
    decide(history, *records)
    both = ("offer_shown", "offer_clicked")
    tell(history, *(told(kind, r.decision_id, "bulb", visitor_id=r.visitor_id) for r in records for kind in both))
    later = START + timedelta(minutes=5)
    tell(history, *(bought(f"o-{n}", [("bulb", "5", 1)], later, visitor_id=f"v-{n}") for n in range(30)))
    assert learned(history).p_conversion("cart", "together") == pytest.approx(0.5, abs=0.03)


def test_finds_the_planted_law_of_a_shop_through_the_stores(history: History) -> None:
    """The whole way: decisions and events in, arrays out."""
    rng = np.random.default_rng(21)
    examined = np.array([1, 0.7, 0.5, 0.4, 0.3, 0.25, 0.2, 0.15])
    shop = World(examined, np.exp(rng.normal(np.log(0.15), 0.6, 30)).clip(0.01, 0.7), power=0.5)
    columns = shop.log(4_000, rng)
    insert_log(history, columns)
    found = learned(history, [f"i-{number:02}" for number in range(30)])
    assert found.sound(30)
    assert np.abs(np.log(found.examined("home", 8) / examined)).mean() < 0.2
    said = found.p_response("home", SOURCES[0], np.arange(30, dtype=np.int32), np.full(30, 0.02))
    often = np.bincount(columns["item"], minlength=30) > 500
    assert np.corrcoef(np.log(said[often]), np.log(shop.attraction[often]))[0, 1] > 0.9


def insert_log(history: History, columns: dict[str, np.ndarray]) -> None:
    """The simulated log as decisions of 8 offers and their responses, in two inserts."""
    count = len(columns["rank"])
    numbers = np.arange(count) // 8
    ids, items = [f"d-{n}" for n in numbers], [f"i-{n:02}" for n in columns["item"]]
    table = {
        "site": ["demo"] * count, "decided_at": [START] * count, "decision_id": ids, "rank": columns["rank"].tolist(),
        "visitor_id": [f"v-{n}" for n in numbers], "placement": ["home"] * count, "item_id": items,
        "explored": (columns["propensity"] < 0.5).astype(int).tolist(), "source": [SOURCES[0]] * count,
        "p_next": columns["p_next"].tolist(), "propensity": columns["propensity"].tolist(),
        "p_response": columns["believed"].tolist(),
    }  # fmt: skip
    history.client().execute(f"INSERT INTO decisions ({', '.join(table)}) VALUES", list(table.values()), columnar=True)
    clicks = np.flatnonzero(columns["clicked"])
    kinds = ["offer_shown"] * count + ["offer_clicked"] * len(clicks)
    rows = [*range(count), *clicks.tolist()]
    responses = {
        "site": ["demo"] * len(rows), "day": [START.date()] * len(rows), "decision_id": [ids[row] for row in rows],
        "item_id": [items[row] for row in rows], "kind": kinds, "first_at": [START] * len(rows),
    }  # fmt: skip
    history.client().execute(
        f"INSERT INTO responses ({', '.join(responses)}) VALUES", list(responses.values()), columnar=True
    )


def test_a_model_carries_them_to_ranking(history: History, settings: Settings) -> None:
    """200 people were shown the bulb and clicked it half the time."""
    offers = (logged_offer("bulb", 1, source="best_seller"), logged_offer("rug", 2, source="best_seller"))
    decide(history, *(offered(f"d-{n}", "", offers=offers, visitor_id=f"v-{n}", placement="home") for n in range(200)))
    tell(history, *(told("offer_shown", f"d-{n}", "bulb rug", visitor_id=f"v-{n}") for n in range(200)))
    tell(history, *(told("offer_clicked", f"d-{n}", "bulb", visitor_id=f"v-{n}") for n in range(100)))
    store = ModelStore(settings.model_dir)
    store.save("demo", replace(planted_model(), responses=learned(history, PLANTED)), {}, NOW)
    model = store.load("demo")
    assert model is not None
    assert model.responses is not None
    bulb, rug = model.find_items(["bulb", "rug"])
    assert model.responses.factor[bulb] > 2 * model.responses.factor[rug]
    insight = insight_of(model, own_view(lambda: NOW_MS)("demo", model), NOW_MS // 1000)
    assert insight.rates("home")[Reason.BEST_SELLER] > 3 * RATES[Reason.BEST_SELLER]
