import time

import pytest

from baliza.errors import StoreDown
from baliza.settings import Settings
from baliza.stores import RedisClient
from baliza.stores import redis as open_redis
from personalizer.catalogue.item import CatalogueItem, encode_item
from personalizer.catalogue.live import LOOK_ANYWAY_S, LiveCatalogue
from personalizer.catalogue.store import AT_ONCE, CatalogueStore
from personalizer.models.model import Model
from schema import keys
from tests.personalizer.catalogue.shelf import copied_model, euros, put
from tests.personalizer.planted import ITEMS, NOW_MS, planted_model
from tests.support.waiting import wait_for

pytestmark = pytest.mark.redis

SOLD_OUT = euros(10, availability="out_of_stock")


class Clock:
    """Both clocks, moved by hand."""

    def __init__(self) -> None:
        self.s = 0.0

    def now_ms(self) -> int:
        return NOW_MS + int(self.s * 1000)

    def monotonic(self) -> float:
        return self.s


@pytest.fixture
def store(redis_client: RedisClient) -> CatalogueStore:
    return CatalogueStore(redis_client, 8)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def live(store: CatalogueStore, clock: Clock) -> LiveCatalogue:
    return LiveCatalogue(store, clock.now_ms, clock.monotonic)


def sold(live: LiveCatalogue, model: Model, item_id: str = "lamp") -> bool:
    return bool(live.view("demo", model).sellable[model.find_items([item_id])[0]])


def test_a_shop_without_catalogue_sells_everything(live: LiveCatalogue) -> None:
    model = planted_model()
    assert live.view("demo", model).sellable.all()
    live.look()
    assert live.view("demo", model).sellable.all()


def test_what_sells_out_is_not_sold_after_a_look(live: LiveCatalogue, store: CatalogueStore) -> None:
    put(store, {item: euros(10) for item in ITEMS}, complete=True)
    model = copied_model(store)
    assert sold(live, model)
    live.look()
    before = live.view("demo", model)
    live.look()
    assert live.view("demo", model) is before
    put(store, {"lamp": SOLD_OUT})
    live.look()
    assert not sold(live, model)
    assert live.view("demo", model).news.keys() == {"lamp"}
    put(store, {"lamp": euros(12)})
    live.look()
    assert sold(live, model)
    assert live.view("demo", model).price[model.find_items(["lamp"])[0]] == 12


def test_what_left_the_catalogue_is_not_sold(live: LiveCatalogue, store: CatalogueStore) -> None:
    put(store, {item: euros(10) for item in ITEMS}, complete=True)
    model = copied_model(store)
    live.view("demo", model)
    live.look()
    put(store, {"lamp": None})
    live.look()
    assert not sold(live, model)


def test_what_is_in_no_whole_feed_is_not_sold(live: LiveCatalogue, store: CatalogueStore) -> None:
    model = planted_model()
    assert sold(live, model)
    put(store, {"rug": euros(10)}, complete=True)
    live.look()
    assert not sold(live, model)
    assert sold(live, model, "rug")


def test_the_model_s_copy_holds_before_the_first_look(live: LiveCatalogue, store: CatalogueStore) -> None:
    put(store, {"lamp": SOLD_OUT, "rug": euros(10)}, complete=True)
    model = copied_model(store)
    assert not sold(live, model)
    assert sold(live, model, "rug")
    assert not sold(live, model, "torch")


def test_what_changed_after_the_copy_is_found_by_a_new_process(live: LiveCatalogue, store: CatalogueStore) -> None:
    put(store, {item: euros(10) for item in ITEMS}, complete=True)
    model = copied_model(store)
    put(store, {"lamp": SOLD_OUT})
    assert sold(live, model)
    live.look()
    assert not sold(live, model)


def test_news_outlive_a_change_of_model(live: LiveCatalogue, store: CatalogueStore) -> None:
    put(store, {item: euros(10) for item in ITEMS}, complete=True)
    first, second = copied_model(store), copied_model(store)
    live.view("demo", first)
    put(store, {"lamp": SOLD_OUT})
    live.look()
    assert not sold(live, second)
    live.look()
    assert not sold(live, second)


def test_a_reader_too_far_behind_compares_everything(live: LiveCatalogue, store: CatalogueStore) -> None:
    put(store, {item: euros(10) for item in ITEMS}, complete=True)
    model = copied_model(store)
    live.view("demo", model)
    live.look()
    others = {f"other-{n}": encode_item(euros(1)) for n in range(AT_ONCE * keys.CATALOGUE_LOG)}
    partition = store.partition_of("lamp")
    store.apply("demo", partition, {"lamp": encode_item(SOLD_OUT)})
    store.apply("demo", partition, others)
    store.ring("demo", NOW_MS)
    live.look()
    assert live.view("demo", model).news.keys() == {"lamp"}
    assert not sold(live, model)


def test_another_store_is_not_taken_for_the_one_that_was_copied(
    live: LiveCatalogue, store: CatalogueStore, redis_client: RedisClient
) -> None:
    put(store, {item: euros(10) for item in ITEMS}, complete=True)
    model = copied_model(store)
    live.view("demo", model)
    live.look()
    for key in redis_client.keys("*catalogue*"):
        redis_client.delete(key)
    live.look()
    assert sold(live, model), "an emptied store must not empty the shop"
    put(store, {"rug": euros(10)}, complete=True)
    live.look()
    assert [item for item in ITEMS if sold(live, model, item)] == ["rug"]


def test_rows_that_nobody_was_told_of_are_found_all_the_same(
    live: LiveCatalogue, store: CatalogueStore, clock: Clock
) -> None:
    put(store, {item: euros(10) for item in ITEMS}, complete=True)
    model = copied_model(store)
    live.view("demo", model)
    live.look()
    store.apply("demo", store.partition_of("lamp"), {"lamp": encode_item(SOLD_OUT)})  # and dies before it rings
    clock.s += LOOK_ANYWAY_S
    live.look()
    assert not sold(live, model)


def test_expiry_and_sales_need_no_news(live: LiveCatalogue, store: CatalogueStore, clock: Clock) -> None:
    row = euros(40, sale_price_micros=32_000_000, sale_from_ms=NOW_MS + 5_000, expires_ms=NOW_MS + 9_000)
    put(store, dict.fromkeys(ITEMS, row), complete=True)
    model = copied_model(store)
    prices = []
    for at in (0, 4, 5, 8, 9):
        clock.s = at
        live.view("demo", model)
        live.look()
        view = live.view("demo", model)
        prices.append((float(view.price[0]), bool(view.sellable[0])))
    assert prices == [(40, True), (40, True), (32, True), (32, True), (32, False)]


def test_the_last_view_serves_while_the_store_is_away(settings: Settings, clock: Clock, store: CatalogueStore) -> None:
    put(store, {"lamp": SOLD_OUT}, complete=False)
    model = copied_model(store)
    nowhere = open_redis(Settings(redis_url="redis://127.0.0.1:1"), 0.2)
    live = LiveCatalogue(CatalogueStore(nowhere, 8), clock.now_ms, clock.monotonic)
    assert not sold(live, model)
    with pytest.raises(StoreDown):
        live.look()
    assert not sold(live, model)
    assert sold(live, model, "rug")


def test_a_thread_keeps_the_view_fresh_and_survives_trouble(store: CatalogueStore, redis_client: RedisClient) -> None:
    put(store, {item: euros(10) for item in ITEMS}, complete=True)
    model = copied_model(store)
    live = LiveCatalogue(store, lambda: NOW_MS, time.monotonic)
    live.start()
    try:
        assert sold(live, model)
        put(store, {"lamp": SOLD_OUT})
        wait_for(lambda: not sold(live, model), 20)
        redis_client.delete(keys.catalogue_state("demo"))
        redis_client.set(keys.catalogue_state("demo"), "no hash")
        time.sleep(0)
        redis_client.delete(keys.catalogue_state("demo"))
        put(store, {"lamp": euros(10)}, complete=True)
        wait_for(lambda: sold(live, model), 20)
    finally:
        live.close()


def test_items_not_in_the_model_wait_for_the_next_one(live: LiveCatalogue, store: CatalogueStore) -> None:
    put(store, {item: euros(10) for item in ITEMS}, complete=True)
    model = copied_model(store)
    live.view("demo", model)
    live.look()
    put(store, {"brand new": euros(10, availability="in_stock"), "lamp": CatalogueItem(removed=True)})
    live.look()
    assert not sold(live, model)
    assert live.view("demo", model).sellable.sum() == len(ITEMS) - 1


def test_a_view_made_ahead_is_taken_when_its_model_serves(live: LiveCatalogue) -> None:
    now, soon = planted_model("now"), planted_model("soon")
    serving = live.view("demo", now)
    ahead = live.prepare("demo", soon)
    assert live.view("demo", now) is serving
    assert live.view("demo", soon) is ahead


def test_what_sold_out_meanwhile_is_not_sold_by_a_view_made_ahead(live: LiveCatalogue, store: CatalogueStore) -> None:
    put(store, {item: euros(10) for item in ITEMS}, complete=True)
    now, soon = planted_model("now"), planted_model("soon")
    live.view("demo", now)
    live.look()
    live.prepare("demo", soon)
    put(store, {"lamp": SOLD_OUT})
    live.look()
    assert not sold(live, soon)
