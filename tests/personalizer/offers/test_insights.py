"""The insights that a process holds."""

from dataclasses import replace

from personalizer.catalogue.view import CatalogueView
from personalizer.models.model import Model
from personalizer.offers.insights import KEEP_S, Insights, own_view
from tests.personalizer.planted import NOW_MS, planted_model
from tests.personalizer.shops import planted_shop

MODEL = planted_model()


class Shop:
    """A catalogue that changes when it is told to, and a clock."""

    def __init__(self) -> None:
        self.view = planted_shop().wares
        self.now_s = 0.0
        self.insights = Insights(self.of, lambda: self.now_s, lambda: NOW_MS)

    def of(self, _site: str, _model: Model) -> CatalogueView:
        return self.view


def test_it_is_made_once() -> None:
    shop = Shop()
    assert shop.insights.get("demo", MODEL) is shop.insights.get("demo", MODEL)


def test_a_change_of_the_catalogue_is_seen_at_once() -> None:
    shop = Shop()
    before = shop.insights.get("demo", MODEL)
    shop.view = replace(shop.view, sellable=~shop.view.sellable)
    after = shop.insights.get("demo", MODEL)
    assert after.wares is shop.view
    assert after.arrivals is before.arrivals, "what is new is looked for now and then only"


def test_what_is_typical_is_looked_at_again_after_a_while() -> None:
    shop = Shop()
    before = shop.insights.get("demo", MODEL)
    shop.view, shop.now_s = replace(shop.view, value=shop.view.value * 2), KEEP_S + 1
    assert shop.insights.get("demo", MODEL).median_value == 2 * before.median_value


def test_another_model_has_its_own() -> None:
    shop = Shop()
    assert shop.insights.get("demo", MODEL).model is MODEL
    other = planted_model("other")
    assert shop.insights.get("demo", other).model is other


def test_without_a_live_catalogue_the_model_says_what_is_sold() -> None:
    views = own_view(lambda: NOW_MS)
    assert views("demo", MODEL).sellable.all()
    assert views("demo", MODEL) is views("demo", MODEL)
    assert views("demo", planted_model("other")) is not views("demo", MODEL)


def test_one_made_ahead_is_taken_when_its_model_serves() -> None:
    shop = Shop()
    now = shop.insights.get("demo", MODEL)
    soon = planted_model("soon")
    shop.insights.prepare("demo", soon, shop.view)
    assert shop.insights.get("demo", MODEL) is now
    ahead = shop.insights.get("demo", soon)
    assert (ahead.model, ahead.wares) == (soon, shop.view)
    assert shop.insights.get("demo", soon) is ahead


def test_one_made_ahead_takes_the_newest_view() -> None:
    shop = Shop()
    soon = planted_model("soon")
    shop.insights.prepare("demo", soon, shop.view)
    shop.view = replace(shop.view, sellable=~shop.view.sellable)
    assert shop.insights.get("demo", soon).wares is shop.view
