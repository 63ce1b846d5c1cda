"""Training on a real history."""

import pytest

from baliza.settings import Settings
from baliza.sites import Site
from baliza.stores import History
from personalizer.decision import decide
from personalizer.models.store import ModelStore
from personalizer.train import train
from tests.personalizer.planted import BOUGHT, ITEMS, NOW, NOW_MS, VIEWED, planted_history
from tests.support.rows import insert_events

SITE = Site("demo", "pk_demo", "", ("http://shop.test",))
pytestmark = pytest.mark.clickhouse


def test_finds_the_planted_companions(history: History, settings: Settings) -> None:
    insert_events(history, planted_history())
    trained = train(history, settings, SITE, NOW)
    model = ModelStore(settings.model_dir).load("demo")
    assert trained is not None
    assert model is not None
    assert (trained.version, trained.sessions, trained.items) == (model.version, len(BOUGHT) + len(VIEWED), len(ITEMS))
    first = {item: decide(model, None, "product-detail", item, 1, NOW_MS)[0] for item in ITEMS}
    assert {item: first[item].item_id for item in ("lamp", "phone", "case", "torch")} == {
        "lamp": "bulb", "phone": "case", "case": "phone", "torch": "lamp",
    }  # fmt: skip
    assert (first["lamp"].reason, first["torch"].reason) == ("bought_together", "viewed_together")
    assert decide(model, None, "home", None, 1, NOW_MS)[0].item_id == "rug"


def test_offers_carry_what_the_history_said(history: History, settings: Settings) -> None:
    insert_events(history, planted_history())
    train(history, settings, SITE, NOW)
    model = ModelStore(settings.model_dir).load("demo")
    assert model is not None
    offer = decide(model, None, "home", None, 1, NOW_MS)[0]
    assert (offer.title, offer.url, str(offer.price), offer.currency) == (
        "Name of rug",
        "http://shop.test/p/rug",
        "39.90",
        "EUR",
    )


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


def test_the_same_history_gives_the_same_model(history: History, settings: Settings) -> None:
    insert_events(history, planted_history())
    store = ModelStore(settings.model_dir)
    versions = [trained.version for trained in (train(history, settings, SITE, NOW) for _ in range(2)) if trained]
    first, second = (store.meta("demo", version)["arrays"] for version in versions)
    assert first == second


def test_tells_how_far_it_is(history: History, settings: Settings) -> None:
    insert_events(history, planted_history())
    told: list[float] = []
    train(history, settings, SITE, NOW, lambda _step, done: told.append(done))
    assert told == sorted(told)
    assert (told[0], told[-1]) == (0.0, 1.0)
