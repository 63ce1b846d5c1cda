import itertools
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from baliza.errors import BadRequest, Conflict, StoreDown
from baliza.lease import Lease
from baliza.stores import RedisClient
from personalizer.catalogue.feeds import BrokenFeed, RawRow
from personalizer.catalogue.importing import MAX_TOLD, Importer, RefusedReplace, Report, numbered
from personalizer.catalogue.item import CatalogueItem
from personalizer.catalogue.store import CatalogueStore
from tests.personalizer.planted import NOW_MS

pytestmark = pytest.mark.redis

Make = Callable[..., Importer]
Row = Mapping[str, object]


@pytest.fixture
def store(redis_client: RedisClient) -> CatalogueStore:
    return CatalogueStore(redis_client, 8)


@pytest.fixture
def make(store: CatalogueStore, redis_client: RedisClient, tmp_path: Path) -> Make:
    owners = itertools.count()

    def made(now_ms: int = NOW_MS, confirm: Callable[[Iterable[int]], None] = lambda _partitions: None) -> Importer:
        lease = Lease(redis_client, "catalogue-demo", f"owner-{next(owners)}", time.monotonic, 60_000)
        return Importer(store, "demo", ZoneInfo("UTC"), lease, confirm, lambda: now_ms, tmp_path)

    return made


def row(item_id: str, price: str = "10 EUR", **more: object) -> Row:
    return {"id": item_id, "price": price, **more}


def feed(count: int, **more: object) -> list[Row]:
    return [row(f"item-{n}", **more) for n in range(count)]  # type: ignore[arg-type]


def take(importer: Importer, rows: Iterable[Row], mode: str = "replace", **options: bool) -> Report:
    return importer.run(numbered(rows), mode, **options)  # type: ignore[arg-type]


def known(store: CatalogueStore) -> dict[str, CatalogueItem]:
    copy = store.copy("demo")
    return copy.items() if copy else {}


def test_a_whole_feed_replaces_what_was_there(make: Make, store: CatalogueStore) -> None:
    take(make(), feed(10))
    report = take(make(), [*feed(8, availability="out of stock")[1:], row("new")])
    assert (report.rows, report.taken, report.added, report.changed, report.removed, report.items) == (8, 8, 1, 7, 3, 8)
    assert known(store).keys() == {"new", *(f"item-{n}" for n in range(1, 8))}
    state = store.state("demo")
    assert state
    assert state.complete


def test_the_same_feed_again_changes_nothing(make: Make, store: CatalogueStore) -> None:
    take(make(), feed(100))
    before, positions, rows = store.state("demo"), store.positions("demo"), known(store)
    report = take(make(NOW_MS + 5_000), feed(100))
    assert (report.unchanged, report.added, report.changed, report.removed) == (100, 0, 0, 0)
    assert (store.state("demo"), store.positions("demo"), known(store)) == (before, positions, rows)


def test_what_came_after_the_first_feed_is_new_since_then(make: Make, store: CatalogueStore) -> None:
    take(make(1_000), feed(2))
    take(make(2_000), feed(3))
    take(make(3_000), feed(3, title="Lamp"))
    assert {item_id: item.first_seen_ms for item_id, item in known(store).items()} == {
        "item-0": 0,
        "item-1": 0,
        "item-2": 2_000,
    }


def test_bad_rows_are_told_and_the_good_ones_taken(make: Make, store: CatalogueStore) -> None:
    rows = [row("a"), row("b", "1.299,00 EUR"), {"title": "no id"}, row("c"), row("a", "11 EUR"), {"id": "x" * 101}]
    report = take(make(), rows)
    assert (report.rows, report.taken, report.refused, report.items) == (6, 2, 4, 2)
    assert [(bad.line, bad.item_id, bad.reason.partition(":")[0]) for bad in report.bad] == [
        (2, "b", "price"), (3, "", "id"), (5, "a", "id"), (6, "", "id"),
    ]  # fmt: skip
    assert "already in line 1" in report.bad[2].reason
    assert known(store).keys() == {"a", "c"}
    assert known(store)["a"].price_micros == 10_000_000


def test_the_item_of_a_bad_row_stays_as_it_was(make: Make, store: CatalogueStore) -> None:
    take(make(), feed(3))
    report = take(make(), [row("item-0", "12 EUR"), row("item-1", "12,00 EUR"), row("item-2")])
    assert (report.changed, report.unchanged, report.kept, report.removed, report.items) == (1, 1, 1, 0, 3)
    assert known(store)["item-1"].price_micros == 10_000_000


def test_only_the_first_bad_rows_are_told_but_all_are_counted(make: Make) -> None:
    report = take(make(), [row("good"), *(row("bad", "x") for _ in range(MAX_TOLD + 50))])
    assert (report.refused, len(report.bad)) == (MAX_TOLD + 50, MAX_TOLD)
    assert [bad.line for bad in report.bad] == list(range(2, MAX_TOLD + 2))


def test_a_file_that_breaks_off_changes_nothing(make: Make, store: CatalogueStore) -> None:
    take(make(), feed(10))
    before = store.state("demo"), known(store)

    def cut_off() -> Iterable[RawRow]:
        yield from numbered(feed(9, title="changed"))
        raise BrokenFeed("line 10: expected XML that is whole")

    with pytest.raises(BrokenFeed):
        make().run(cut_off(), "replace")
    assert (store.state("demo"), known(store)) == before


def test_a_feed_that_would_empty_the_shop_is_refused(make: Make, store: CatalogueStore) -> None:
    take(make(), feed(10))
    before = store.state("demo"), known(store)
    with pytest.raises(RefusedReplace, match="4 items and would remove 6 of the 10"):
        take(make(), feed(4, title="changed"))
    assert (store.state("demo"), known(store)) == before
    assert take(make(), feed(5)).removed == 5
    assert take(make(), feed(1), force=True).removed == 4


@pytest.mark.parametrize("rows", [[], [row("a", "x")]])
def test_a_feed_without_any_good_row_is_refused_even_by_force(make: Make, store: CatalogueStore, rows: list[Row]) -> None:
    take(make(), feed(1))
    with pytest.raises(BadRequest, match="none that can be taken"):
        take(make(), rows, force=True)
    assert known(store).keys() == {"item-0"}


def test_a_dry_run_tells_the_same_and_writes_nothing(make: Make, store: CatalogueStore) -> None:
    first = take(make(), feed(10), dry_run=True)
    assert (first.added, first.items, known(store), store.state("demo")) == (10, 10, {}, None)
    take(make(), feed(10))
    before = store.state("demo"), store.positions("demo"), known(store)
    rows = [*feed(6), row("new"), row("item-7", "11 EUR")]
    told = take(make(), rows, dry_run=True)
    assert (store.state("demo"), store.positions("demo"), known(store)) == before
    done = take(make(), rows)
    assert (told.added, told.changed, told.removed, told.items) == (done.added, done.changed, done.removed, done.items)
    assert (done.added, done.changed, done.removed) == (1, 1, 3)


def test_merging_adds_attribute_by_attribute(make: Make, store: CatalogueStore) -> None:
    take(make(), feed(3, title="Lamp", brand="Lumo"))
    rows: list[Row] = [{"id": "item-0", "availability": "out_of_stock"}, {"id": "item-1", "brand": None}, row("new")]
    report = take(make(), rows, "merge")
    assert (report.added, report.changed, report.removed, report.items) == (1, 2, 0, 4)
    found = known(store)
    assert (found["item-0"].availability, found["item-0"].name, found["item-0"].price_micros) == (
        "out_of_stock",
        "Lamp",
        10_000_000,
    )
    assert (found["item-1"].brand, found["item-1"].name) == (None, "Lamp")
    assert found["item-2"].brand == "Lumo"


def test_merging_does_not_claim_that_it_is_all(make: Make, store: CatalogueStore) -> None:
    take(make(), feed(1), "merge")
    state = store.state("demo")
    assert state
    assert not state.complete


def test_amounts_of_an_item_stay_of_one_currency(make: Make, store: CatalogueStore) -> None:
    take(make(), [row("a", cost_of_goods_sold="4 EUR")])
    with pytest.raises(BadRequest, match="expected EUR, the currency of what stays"):
        take(make(), [row("a", "9 USD")], "merge")
    rows: list[Row] = [{"id": "a", "sale_price": "5 USD"}, row("b")]
    report = take(make(), rows, "merge")
    assert (report.refused, report.kept) == (1, 1)
    assert take(make(), [row("a", "9 USD", cost_of_goods_sold="3 USD")], "merge").changed == 1


def test_two_who_change_one_item_lose_nothing(make: Make, store: CatalogueStore) -> None:
    take(make(), feed(1))
    names = [f"place-{n}" for n in range(6)]

    def change(n: int) -> None:
        field = ("title", "brand", "product_type", "item_group_id", "link", "image_link")[n]
        value = f"https://shop.test/{n}" if "link" in field else names[n]
        take(make(), [{"id": "item-0", field: value}], "merge")

    threads = [threading.Thread(target=change, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    item = known(store)["item-0"]
    assert (item.name, item.brand, item.categories, item.variant_of) == tuple(names[:4])
    assert (item.url, item.image) == ("https://shop.test/4", "https://shop.test/5")


def test_one_whole_feed_at_a_time(make: Make, redis_client: RedisClient, store: CatalogueStore) -> None:
    other = Lease(redis_client, "catalogue-demo", "somebody", time.monotonic, 60_000)
    assert other.hold()
    with pytest.raises(Conflict, match="just now"):
        take(make(), feed(1))
    other.release()
    take(make(), feed(1))
    take(make(), feed(2))
    assert len(known(store)) == 2


def test_attributes_of_which_nothing_is_made_are_told(make: Make) -> None:
    report = take(make(), [row("a", gtin="1", availabilty="out_of_stock"), row("b", gtin="2")])
    assert report.ignored == ["availabilty", "gtin"]


def test_readers_are_told_only_after_replicas_have_it(make: Make, store: CatalogueStore) -> None:
    def no_replica(_partitions: Iterable[int]) -> None:
        raise StoreDown("the live store's replicas do not keep up")

    with pytest.raises(StoreDown):
        take(make(confirm=no_replica), feed(5))
    state = store.state("demo")
    assert state
    assert (state.change, state.complete) == (0, False)
    asked: list[int] = []
    take(make(confirm=asked.extend), feed(5))
    state = store.state("demo")
    assert state
    assert (state.change, state.complete) == (1, True)


def test_what_a_dead_import_left_half_done_the_next_one_finishes(
    make: Make, store: CatalogueStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(make(), feed(80))
    written, apply = [], store.apply

    def dies(site: str, partition: int, *rows: Any) -> None:
        if len(written) == 3:
            raise StoreDown("the live store does not answer")
        written.append(partition)
        apply(site, partition, *rows)

    with monkeypatch.context() as patched:
        patched.setattr(store, "apply", dies)
        with pytest.raises(StoreDown):
            take(make(), feed(60, title="Lamp"))
    half = known(store)
    assert 0 < sum(item.name == "Lamp" for item in half.values()) < 60
    report = take(make(), feed(60, title="Lamp"))
    assert 0 < report.unchanged < 60
    assert known(store).keys() == {f"item-{n}" for n in range(60)}
    assert all(item.name == "Lamp" for item in known(store).values())


def test_a_full_store_takes_no_feed_and_says_so(make: Make, store: CatalogueStore, redis_client: RedisClient) -> None:
    take(make(), feed(10))
    redis_client.config_set("maxmemory", 1)
    try:
        with pytest.raises(StoreDown, match="takes nothing"):
            take(make(), feed(10, title="Lamp"))
        with pytest.raises(StoreDown, match="takes nothing"):
            take(make(), feed(1, title="Lamp"), "merge")
        assert len(known(store)) == 10
    finally:
        redis_client.config_set("maxmemory", 0)
    assert take(make(), feed(10, title="Lamp")).changed == 10


def test_items_are_taken_out_and_brought_back_by_a_feed(make: Make, store: CatalogueStore) -> None:
    take(make(), feed(3))
    assert make().remove(["item-0", "nothing"]) == ["item-0"]
    assert known(store)["item-0"].removed
    assert make().remove(["item-0"]) == []
    assert take(make(), feed(3)[1:]).removed == 0
    assert known(store).keys() == {"item-1", "item-2"}
    make().remove(["item-1"])
    report = take(make(), feed(3))
    assert (report.added, report.unchanged) == (2, 1)
    assert not known(store)["item-1"].removed


def test_without_a_whole_feed_what_only_events_know_can_be_taken_out(make: Make, store: CatalogueStore) -> None:
    assert make().remove(["seen by visitors"]) == ["seen by visitors"]
    assert known(store)["seen by visitors"].removed


def test_forgetting_everything_makes_it_a_shop_without_a_feed(make: Make, store: CatalogueStore) -> None:
    take(make(), feed(30))
    assert make().clear() == 30
    state = store.state("demo")
    assert state
    assert (known(store), state.complete) == ({}, False)


def test_progress_is_told(make: Make) -> None:
    told: list[int] = []
    make().run(numbered(feed(2_500)), "replace", progress=told.append)
    assert told == [1_000, 2_000]
