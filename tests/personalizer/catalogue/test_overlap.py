import pytest

from baliza.settings import Settings
from baliza.stores import RedisClient
from personalizer.catalogue.overlap import Overlap, overlap
from personalizer.catalogue.store import CatalogueStore
from personalizer.models.store import ModelStore
from tests.personalizer.catalogue.shelf import euros, put
from tests.personalizer.planted import ITEMS, NOW, planted_model


@pytest.mark.redis
def test_counts_best_sellers_that_are_listed(settings: Settings, redis_client: RedisClient) -> None:
    store, models = CatalogueStore(redis_client, 8), ModelStore(settings.model_dir)
    put(store, {"rug": euros(1), "lamp": euros(1), "other": euros(1)})
    models.save("demo", planted_model(), {}, NOW)
    assert overlap(store, models, "demo") is None, "what is merged leaves nothing out"
    put(store, {}, complete=True)
    found = overlap(store, models, "demo")
    assert found == Overlap(len(ITEMS), 2)
    assert "only 2 of the 6 best sellers" in found.warning


@pytest.mark.redis
def test_is_silent_without_a_model(settings: Settings, redis_client: RedisClient) -> None:
    store = CatalogueStore(redis_client, 8)
    assert overlap(store, ModelStore(settings.model_dir), "demo") is None
    put(store, {"rug": euros(1)}, complete=True)
    assert overlap(store, ModelStore(settings.model_dir), "demo") is None
    (settings.model_dir / "demo").mkdir(parents=True)
    (settings.model_dir / "demo" / "current").write_text("gone")
    assert overlap(store, ModelStore(settings.model_dir), "demo") is None


def test_half_is_enough() -> None:
    assert Overlap(10, 5).warning == ""
    assert "item_id" in Overlap(10, 4).warning
