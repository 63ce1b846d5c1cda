"""Training on a real history."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest

from baliza.settings import Settings
from baliza.sites import Site
from baliza.stores import History
from personalizer.learning import train as training
from personalizer.learning.train import Trained, Wish, train
from personalizer.models.behaviour import Behaviour
from personalizer.models.model import Model
from personalizer.models.next_item import NextItem
from personalizer.models.store import ModelStore
from tests.personalizer.planted import BOUGHT, ITEMS, NOW, VIEWED, planted_history
from tests.personalizer.shops import first_offer
from tests.support.rows import event_row, insert_events

SITE = Site("demo", "pk_demo", "", ("http://shop.test",))
pytestmark = pytest.mark.clickhouse


def test_finds_the_planted_companions(history: History, settings: Settings) -> None:
    insert_events(history, planted_history())
    trained = train(history, settings, SITE, NOW)
    model = ModelStore(settings.model_dir).load("demo")
    assert trained is not None
    assert model is not None
    assert (trained.version, trained.sessions, trained.items) == (model.version, len(BOUGHT) + len(VIEWED), len(ITEMS))
    first = {item: first_offer(model, "product-detail", item) for item in ITEMS}
    assert {item: first[item].item_id for item in ("lamp", "phone", "case", "torch")} == {
        "lamp": "bulb", "phone": "case", "case": "phone", "torch": "lamp",
    }  # fmt: skip
    assert (first["lamp"].reason, first["torch"].reason) == ("bought_together", "next_item")
    assert first_offer(model, "home").item_id == "rug"


def test_offers_carry_what_the_history_said(history: History, settings: Settings) -> None:
    insert_events(history, planted_history())
    train(history, settings, SITE, NOW)
    model = ModelStore(settings.model_dir).load("demo")
    assert model is not None
    offer = first_offer(model, "home")
    assert (offer.title, offer.url, str(offer.price), offer.currency) == (
        "Name of rug",
        "http://shop.test/p/rug",
        "39.90",
        "EUR",
    )


def test_one_long_id_does_not_widen_all(history: History, settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    insert_events(history, planted_history())
    insert_events(
        history, [event_row(type="view_item", items=[("é" * 100, "", "1", 1)], occurred_at=NOW - timedelta(hours=1))]
    )
    with caplog.at_level("WARNING"):
        trained = train(history, settings, SITE, NOW)
    model = ModelStore(settings.model_dir).load("demo")
    assert trained is not None
    assert model is not None
    assert (trained.long_ids, trained.items, model.item_ids.dtype.itemsize) == (1, len(ITEMS), max(map(len, ITEMS)))
    assert "demo: 1 items are left out, whose ids are far longer than the rest" in caplog.text


def test_without_history_it_writes_nothing_and_says_so(
    history: History, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        assert train(history, settings, SITE, NOW) is None
    assert "no model for demo" in caplog.text
    assert not settings.model_dir.exists()


def test_bots_teach_nothing(history: History, settings: Settings) -> None:
    insert_events(history, [row | {"bot": "crawler"} for row in planted_history()])
    assert train(history, settings, SITE, NOW) is None


def test_writes_down_its_data_and_parameters(history: History, settings: Settings) -> None:
    insert_events(history, planted_history())
    trained = train(history, settings, SITE, NOW)
    assert trained is not None
    meta = ModelStore(settings.model_dir).meta("demo", trained.version)
    assert meta["trained_at"] == "2026-11-21T12:00:00+00:00"
    assert meta["counts"]["sessions"] == len(BOUGHT) + len(VIEWED)
    assert meta["data"]["since"] == "2026-08-23T00:00:00+00:00"
    assert meta["parameters"]["neighbours"] == 50
    model = ModelStore(settings.model_dir).load("demo")
    assert model is not None
    assert model.responses is not None


def test_the_same_history_gives_the_same_model(history: History, settings: Settings) -> None:
    insert_events(history, planted_history())
    store = ModelStore(settings.model_dir)
    twice = (train(history, settings, SITE, NOW, wish=Wish(full=True)) for _ in range(2))
    versions = [trained.version for trained in twice if trained]
    first, second = (store.meta("demo", version)["arrays"] for version in versions)
    assert first == second


def test_tells_how_far_it_is(history: History, settings: Settings) -> None:
    insert_events(history, planted_history())
    told: list[float] = []
    train(history, settings, SITE, NOW, lambda _step, done: told.append(done))
    assert told == sorted(told)
    assert (told[0], told[-1]) == (0.0, 1.0)


def chains(now: datetime = NOW, sessions: int = 900) -> Iterator[dict[str, Any]]:
    """Sessions of the last day that walk from one item to the next of forty, so that the next one can be foreseen."""
    for number in range(sessions):
        at = now - timedelta(seconds=80 * number + 60)
        for step in range(3):
            items = [(f"item-{(number * 7 + step) % 40:02}", "", "1", 1)]
            yield event_row(
                type="view_item", occurred_at=at + timedelta(seconds=step), session_opened_at=at, items=items,
                session_id=f"c-{number}", visitor_id=f"c-{number}",
            )  # fmt: skip


def again(history: History, settings: Settings, minutes: int, **wish: bool) -> Trained:
    trained = train(history, settings, SITE, NOW + timedelta(minutes=minutes), wish=Wish(**wish))
    assert trained is not None
    return trained


def test_learns_anew_first_and_then_on_top_until_a_day_is_over(history: History, settings: Settings) -> None:
    insert_events(history, chains())
    first, second = again(history, settings, 0), again(history, settings, 15)
    store = ModelStore(settings.model_dir)
    assert [first.full, second.full] == [True, False]
    assert store.meta("demo", second.version)["on_top_of"] == first.version
    assert store.meta("demo", second.version)["full_at"] == store.meta("demo", first.version)["full_at"]
    assert again(history, settings, 30, full=True).full
    assert not again(history, settings, 45).full
    assert again(history, settings, 24 * 60 + 30).full


def test_says_how_well_it_foresees_sessions_that_it_was_not_taught(history: History, settings: Settings) -> None:
    insert_events(history, chains())
    trial = again(history, settings, 0).trial
    assert trial["sessions"] >= 50
    assert trial["guesses"] == 2 * trial["sessions"]
    assert trial["mrr@20"] > 0.3


def lost_its_mind(behaviour: Behaviour) -> Behaviour:
    """As a fault in the code could: every item is taken for another one."""
    return replace(behaviour, items=np.random.default_rng(1).permutation(behaviour.items).astype(np.int32))


@pytest.mark.parametrize("full", [False, True])
def test_a_model_that_is_clearly_worse_does_not_serve(
    history: History, settings: Settings, monkeypatch: pytest.MonkeyPatch, full: bool
) -> None:
    insert_events(history, chains())
    good = again(history, settings, 0)
    honest = training.behaviour_of
    monkeypatch.setattr(training, "behaviour_of", lambda clicks: lost_its_mind(honest(clicks)))
    bad = again(history, settings, 15, full=full)
    store = ModelStore(settings.model_dir)
    assert "MRR@20 on the last day is" in bad.refused
    assert store.current("demo") == good.version
    assert store.meta("demo", bad.version)["refused"] == bad.refused
    monkeypatch.setattr(training, "behaviour_of", honest)
    mended = again(history, settings, 30)
    assert (mended.refused, mended.full, store.current("demo")) == ("", False, mended.version)


def test_whoever_insists_gets_the_worse_model(history: History, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    insert_events(history, chains())
    again(history, settings, 0)
    honest = training.behaviour_of
    monkeypatch.setattr(training, "behaviour_of", lambda clicks: lost_its_mind(honest(clicks)))
    forced = again(history, settings, 15, force=True)
    assert forced.refused == ""
    assert ModelStore(settings.model_dir).current("demo") == forced.version


def test_a_history_that_lost_most_of_its_sessions_teaches_nobody(history: History, settings: Settings) -> None:
    insert_events(history, chains())
    good = again(history, settings, 0)
    history.rows("DELETE FROM events WHERE visitor_id > 'c-3'")
    assert "the history holds" in again(history, settings, 15).refused
    assert ModelStore(settings.model_dir).current("demo") == good.version
    assert again(history, settings, 4 * 24 * 60).refused == "", "a shop that stays small has a model of now again"


def test_a_model_that_cannot_be_read_is_no_reason_to_fail(
    history: History, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    insert_events(history, chains())
    first = again(history, settings, 0)
    (settings.model_dir / "demo" / first.version / "item_ids.npy").unlink()
    second = again(history, settings, 15)
    assert (second.full, second.refused) == (True, "")
    assert "all is learned anew" in caplog.text


def test_a_shop_without_a_model_gets_what_is_counted_before_the_rest_is_learned(
    history: History, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert_events(history, chains(sessions=50))
    store = ModelStore(settings.model_dir)
    served: list[Model | None] = []
    fit = training.NextItem.fit

    def seen_from_outside(*given: Any, **named: Any) -> NextItem:
        served.append(store.load("demo"))
        return fit(*given, **named)

    monkeypatch.setattr(training.NextItem, "fit", seen_from_outside)
    first, _ = again(history, settings, 0), again(history, settings, 15)
    counted, before = served
    assert counted is not None
    assert (len(counted), counted.next_item) == (40, None)
    assert before is not None
    assert before.version == first.version
    assert before.next_item is not None
