import pytest

from baliza.stores import RedisClient
from personalizer.catalogue.item import CatalogueItem, encode_item
from personalizer.catalogue.store import AT_ONCE, NOWHERE, CatalogueStore
from schema import keys

pytestmark = pytest.mark.redis

ROW = encode_item(CatalogueItem(name="Lamp"))


@pytest.fixture
def store(redis_client: RedisClient) -> CatalogueStore:
    return CatalogueStore(redis_client, 8)


def test_a_site_without_catalogue_has_no_state(store: CatalogueStore) -> None:
    assert store.state("demo") is None
    assert store.copy("demo") is None


def test_the_state_tells_every_change(store: CatalogueStore) -> None:
    first = store.begin("demo")
    assert store.begin("demo") == first
    assert store.ring("demo", 5) == 1
    store.ring("demo", 7, complete=True)
    found = store.state("demo")
    assert found
    assert (found.epoch, found.change, found.complete, found.updated_ms) == (first.epoch, 2, True, 7)


def test_rows_come_back_and_go(store: CatalogueStore) -> None:
    store.apply("demo", 3, {f"item-{n}": ROW for n in range(2_500)})
    assert dict(store.rows("demo", 3)).keys() == {f"item-{n}" for n in range(2_500)}
    store.apply("demo", 3, {}, [f"item-{n}" for n in range(2_499)])
    assert dict(store.rows("demo", 3)) == {"item-2499": ROW}
    assert store.size("demo") == 1
    assert store.get_many("demo", 3, ["item-1", "item-2499"]) == {"item-2499": ROW}


def test_an_item_is_found_in_its_partition(store: CatalogueStore) -> None:
    store.apply("demo", store.partition_of("lamp"), {"lamp": ROW})
    assert store.get("demo", "lamp") == CatalogueItem(name="Lamp")
    assert store.get("demo", "rug") is None
    assert store.get("other", "lamp") is None


def test_a_reader_goes_on_where_it_stopped(store: CatalogueStore) -> None:
    store.apply("demo", 0, {"a": ROW})
    (position, *others) = store.positions("demo")
    assert set(others) == {NOWHERE}
    store.apply("demo", 0, {"b": ROW}, ["a"])
    store.apply("demo", 0, {"b": ROW})
    ids, newest = store.changed_since("demo", 0, position)
    assert ids == ["b", "a"]
    assert newest == store.positions("demo")[0]
    assert store.changed_since("demo", 0, newest) == ([], newest)


def test_a_reader_that_is_too_far_behind_is_told(store: CatalogueStore) -> None:
    store.apply("demo", 0, {"a": ROW})
    (position, *_) = store.positions("demo")
    store.apply("demo", 0, {f"item-{n}": ROW for n in range(AT_ONCE * (keys.CATALOGUE_LOG - 1))})
    assert store.changed_since("demo", 0, position)[0] is not None
    store.apply("demo", 0, {"b": ROW})
    ids, newest = store.changed_since("demo", 0, position)
    assert ids is None
    assert newest == store.positions("demo")[0]


def test_a_copy_has_all_rows_and_says_how_far_it_goes(store: CatalogueStore) -> None:
    store.begin("demo")
    for n in range(20):
        store.apply("demo", store.partition_of(str(n)), {str(n): ROW})
    copy = store.copy("demo")
    assert copy
    assert copy.items() == {str(n): CatalogueItem(name="Lamp") for n in range(20)}
    assert [tuple(position) for position in copy.positions.tolist()] == store.positions("demo")
