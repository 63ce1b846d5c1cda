"""What is missing or late makes an answer poorer, and nothing makes it wait."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from baliza import stores
from baliza.settings import Settings
from baliza.sites import Site, SiteRegistry, digest
from personalizer.app import create_app
from personalizer.feedback.record import DecisionRecord
from personalizer.models.shelf import ModelShelf
from personalizer.models.store import ModelStore
from personalizer.offers.answer import Decision
from personalizer.offers.asking import Asked
from personalizer.offers.deciding import SLOW_PAUSE_S, Clocks, Decider
from personalizer.offers.insights import Insights, own_view
from personalizer.offers.situation import Candidates
from schema.profile import LiveSession, VisitorProfile
from tests.personalizer.planted import NOW, NOW_MS, VISITOR, planted_model, profile
from tests.support.clock import Clock

SITE = Site("demo", "pk_demo", digest("sk_demo"), offer_explore=0.0)
ASKED = Asked("v-1", "home", None, None, 5, False)


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a store that takes connections and requests, and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:  # connections wait to be accepted, for ever
        yield server.getsockname()[1]


@pytest.fixture
def closing() -> Iterator[list[Any]]:
    """What is put in is closed at the end."""
    opened: list[Any] = []
    yield opened
    for each in opened:
        each.close()


class Written:
    """A log that keeps what it was told."""

    def __init__(self) -> None:
        self.records: list[DecisionRecord] = []

    def write(self, record: DecisionRecord) -> None:
        self.records.append(record)


@pytest.fixture
def shelf(tmp_path: Path) -> ModelShelf:
    store = ModelStore(tmp_path / "models")
    for site in ("demo", "other"):
        store.save(site, planted_model(), {}, NOW)
    shelf = ModelShelf(store, time.monotonic)
    assert shelf.get("demo") is not None, "it is read now, not in the time of an answer"
    return shelf


def decider(shelf: ModelShelf, clock: Any = time.monotonic, written: Any = None) -> Decider:
    clocks = Clocks(lambda: NOW_MS, clock, lambda: "d-1")
    insights = Insights(own_view(lambda: NOW_MS), clock, lambda: NOW_MS)
    return Decider(shelf, insights, None, written, clocks, Random(1), 0.05)


def of(maker: Decider, who: VisitorProfile | None, clock: Any = time.monotonic) -> Decision:
    return maker.of_profile(SITE, ASKED, who, None if who else "no_profile", clock())


@pytest.mark.alone
@pytest.mark.network
def test_the_whole_answer_comes_within_the_budget_while_the_store_hangs(
    tmp_path: Path, shelf: ModelShelf, silent: int, closing: list[Any]
) -> None:
    settings = Settings(data_dir=tmp_path, redis_url=f"redis://127.0.0.1:{silent}", offer_budget_ms=50)
    redis = stores.redis(settings, 0.025)
    closing.append(redis)
    app = create_app(settings, redis, lambda: SiteRegistry.of([SITE]), shelf, lambda: NOW_MS, time.monotonic, lambda: "d-1")
    client = app.test_client()
    client.get("/v1/offers?key=pk_demo")
    began = time.monotonic()
    answer = client.get(f"/v1/offers?key=pk_demo&visitor={VISITOR}")
    assert 0.02 < time.monotonic() - began < 0.05
    assert answer.json is not None
    assert (answer.json["fallback"], len(answer.json["offers"])) == ("store_down", 5)
    assert answer.json["offers"][0]["item_id"] == "rug"
    began = time.monotonic()
    assert client.get(f"/v1/offers?key=pk_demo&visitor={VISITOR}").json["fallback"] == "store_down"  # type: ignore[index]
    assert time.monotonic() - began < 0.02, "it was silent just now and is not asked again"


def test_a_late_answer_goes_without_the_model_of_next_items(shelf: ModelShelf) -> None:
    clock = Clock()
    maker = decider(shelf, clock)
    assert of(maker, profile(viewed=["lamp"]), clock).fallback is None
    answer = maker.of_profile(SITE, ASKED, profile(viewed=["lamp"]), None, clock() - 0.041)
    assert answer.fallback == "too_slow"
    assert len(answer.offers) == 5


def test_a_model_that_was_slow_is_left_alone_for_a_moment(shelf: ModelShelf, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()

    def slow(*_: object) -> list[Candidates]:
        clock.now_s += 0.08
        return []

    maker = decider(shelf, clock)
    with monkeypatch.context() as patch:
        patch.setattr("personalizer.offers.decision.next_items", slow)
        assert of(maker, profile(), clock).fallback is None, "nobody can know before"
    assert of(maker, profile(), clock).fallback == "too_slow"
    other = Site("other", "pk_other", digest("sk_other"), offer_explore=0.0)
    answer = maker.of_profile(other, ASKED, profile(), None, clock())
    assert (answer.fallback, len(answer.offers)) == (None, 5), "another site has another model"
    clock.now_s += SLOW_PAUSE_S
    assert of(maker, profile(), clock).fallback is None


def test_writes_down_decisions_of_visitors_who_may_be_remembered(shelf: ModelShelf) -> None:
    written = Written()
    maker = decider(shelf, written=written)
    of(maker, profile(viewed=["lamp"]))
    of(maker, None)
    assert [(record.visitor_id, record.fallback) for record in written.records] == [("v-1", "")]


def test_without_a_model_there_is_nothing_to_offer(tmp_path: Path) -> None:
    nothing = ModelShelf(ModelStore(tmp_path / "none"), time.monotonic)
    answer = of(decider(nothing), profile())
    assert (answer.offers, answer.fallback) == ([], "no_model")


def test_what_fails_inside_is_told_to_the_log_only(
    shelf: ModelShelf, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("personalizer.offers.deciding.offers_of", lambda *_: 1 / 0)
    answer = of(decider(shelf), profile())
    assert (answer.offers, answer.fallback) == ([], "no_model")
    assert "no offers for demo at home" in caplog.text


def test_readiness_is_asked_of_the_live_session(shelf: ModelShelf) -> None:
    maker = decider(shelf)
    asked = replace_explain(ASKED)
    explained = maker.of_profile(SITE, asked, profile(cart=["lamp"]), None, time.monotonic())
    assert isinstance(explained.purposes, dict)
    assert sum(explained.purposes.values()) == pytest.approx(1)


def test_what_an_earlier_visit_was_for_is_over(shelf: ModelShelf) -> None:
    maker, asked = decider(shelf), replace_explain(ASKED)
    for ago_s, buys in ((60, True), (86_400, False)):
        who, at = profile(bought=["lamp"]), NOW_MS - ago_s * 1000
        who.session = LiveSession("s", at, at, at, 5, 3, 2, 0, 1, [], "", "", "", [])
        purposes = maker.of_profile(SITE, asked, who, None, time.monotonic()).purposes
        assert isinstance(purposes, dict)
        assert (purposes["buy"] > 0.9) is buys


def replace_explain(asked: Asked) -> Asked:
    return Asked(asked.visitor_id, asked.placement, asked.item_id, asked.category, asked.limit, explain=True)
