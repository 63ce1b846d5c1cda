"""What training reads from a real history."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from baliza.settings import Settings
from baliza.sites import Site
from baliza.stores import History
from personalizer.catalogue.item import CatalogueItem, digest, encode_item
from personalizer.catalogue.store import CatalogueCopy, CatalogueState
from personalizer.learning.days import Clicks
from personalizer.learning.history import (
    Items,
    Parameters,
    interactions_of,
    read_items,
    shop_address,
    with_catalogue,
)
from personalizer.learning.span import read_span
from tests.personalizer.planted import NOW, fact
from tests.support.rows import event_row, insert_events

SITE = Site("demo", "pk_demo", "", ("http://shop.test",))
LAMP = [("lamp", "light", "39.90", 1)]


def view(hours: float = 1, **given: Any) -> dict[str, Any]:
    given = {"type": "view_item", "items": LAMP, "page_url": "http://shop.test/p/lamp"} | given
    return event_row(occurred_at=NOW - timedelta(hours=hours), **given)


def items(history: History, settings: Settings, *rows: dict[str, Any], site: Site = SITE) -> Items:
    insert_events(history, rows)
    return read_items(history, site, read_span(history, settings, site, NOW), Parameters())


@pytest.mark.clickhouse
def test_takes_what_was_said_last(history: History, settings: Settings) -> None:
    old = view(5, items=[("lamp", "old", "50", 1)], item_images=["http://img.shop.test/lamp.png"])
    facts = items(history, settings, old, view(1, currency="SEK", item_names=["Lamp Oslo"])).facts[0]
    assert (facts.name, facts.category, str(facts.price), facts.currency) == ("Lamp Oslo", "light", "39.90", "SEK")
    assert facts.image == "http://img.shop.test/lamp.png"  # the later event said none


INSULT: dict[str, Any] = {
    "items": [("lamp", "junk", "1", 1)], "item_names": ["an insult"], "item_brands": ["Junk"],
    "item_images": ["http://evil.test/x.png"], "page_url": "http://shop.test/log-out",
}  # fmt: skip
GOOD: dict[str, Any] = {
    "item_brands": ["Lumo"],
    "item_images": ["http://cdn.test/lamp.png"],
    "page_url": "http://shop.test/p/lamp",
}


def crowd(size: int, hours: float, first: int = 0, **given: Any) -> list[dict[str, Any]]:
    """As many visitors, each of a network of their own."""
    return [
        view(hours, visitor_id=f"v-{number}", network=f"198.51.{number}.0/24", **given)
        for number in range(first, first + size)
    ]


def told(found: Items) -> tuple[str, str, str, str, str, str]:
    fact = found.facts[0]
    return fact.name, fact.brand, fact.category, str(fact.price), fact.image, fact.url


LUMO = ("Name of lamp", "Lumo", "light", "39.90", "http://cdn.test/lamp.png", "http://shop.test/p/lamp")


@pytest.mark.clickhouse
def test_one_visitor_defaces_nothing_that_several_saw(history: History, settings: Settings) -> None:
    evil = [view(0.01, visitor_id="evil", network="203.0.113.0/24", **INSULT) for _ in range(40)]
    assert told(items(history, settings, *crowd(3, 200, **GOOD), *evil)) == LUMO


@pytest.mark.clickhouse
def test_made_up_visitors_of_one_network_are_four_at_most(history: History, settings: Settings) -> None:
    evil = [view(0.01, visitor_id=f"evil-{number}", network="203.0.113.0/24", **INSULT) for number in range(60)]
    assert told(items(history, settings, *crowd(30, 5, **GOOD), *evil)) == LUMO


@pytest.mark.clickhouse
@pytest.mark.parametrize("sender", ["browser", "pixel"])
def test_the_word_of_the_shop_s_server_stands_against_any_crowd(history: History, settings: Settings, sender: str) -> None:
    server = view(2000, sender="server", **GOOD)
    assert told(items(history, settings, server, *crowd(30, 1, sender=sender, **INSULT))) == LUMO


@pytest.mark.clickhouse
@pytest.mark.parametrize(("since", "name", "price"), [(1, "old", "39.90"), (12, "old", "45.00"), (72, "new", "45.00")])
def test_a_new_price_wins_within_hours_and_a_new_name_within_days(
    history: History, settings: Settings, since: int, name: str, price: str
) -> None:
    rows = []
    for number, hours in enumerate(range(0, 14 * 24, 3)):  # a visitor every three hours
        new = hours < since
        said = {"item_names": ["new"], "items": [("lamp", "light", "45", 1)]} if new else {"item_names": ["old"]}
        rows += crowd(1, hours + 0.1, number, **said)
    facts = items(history, settings, *rows).facts[0]
    assert (facts.name, str(facts.price)) == (name, price)


@pytest.mark.clickhouse
def test_of_a_new_item_one_visitor_says_the_name_and_no_picture_from_elsewhere(history: History, settings: Settings) -> None:
    new = [
        view(1, items=[(name, "light", "9", 1)], item_images=[image], visitor_id="v-9")
        for name, image in [
            ("a", "http://evil.test/a.png"), ("b", "http://www.shop.test/b.png"), ("c", "http://cdn.test/c.png"),
            ("d", "javascript:alert(1)"),
        ]
    ]  # fmt: skip
    scripts = [row | {"item_ids": ["e"], "item_images": ["data:image/png;base64,AAAA"]} for row in crowd(5, 1)]
    read = items(history, settings, *crowd(4, 1, **GOOD), *new, *scripts)
    assert {fact.item_id: fact.image for fact in read.facts if fact.item_id != "lamp"} == {
        "a": "", "b": "http://www.shop.test/b.png", "c": "http://cdn.test/c.png", "d": "", "e": "",
    }  # fmt: skip
    assert {(fact.name, str(fact.price)) for fact in read.facts if fact.item_id == "a"} == {("Name of a", "9.00")}


@pytest.mark.clickhouse
def test_where_any_origin_is_allowed_one_visitor_sends_shoppers_nowhere(history: History, settings: Settings) -> None:
    anywhere = Site("demo", "pk_demo", "", ("*",))
    new = view(1, items=[("new", "light", "9", 1)], page_url="http://evil.test/p", visitor_id="v-9")
    read = items(history, settings, *crowd(4, 1, **GOOD), new, site=anywhere)
    assert [fact.url for fact in read.facts] == ["http://shop.test/p/lamp", ""]


@pytest.mark.clickhouse
def test_of_too_many_items_those_stay_that_most_was_done_with(history: History, settings: Settings) -> None:
    made_up = [view(1, items=[(f"made-up-{n}", "", "1", 1)]) for n in range(3)]
    insert_events(history, [*made_up, view(1), view(2, items=[("rug", "", "7", 1)], type="purchase"), view(2)])
    read = read_items(history, SITE, read_span(history, settings, SITE, NOW), Parameters(most_items=2))
    assert [fact.item_id for fact in read.facts] == ["lamp", "rug"]


@pytest.mark.clickhouse
def test_the_price_of_a_purchase_counts_only_when_there_is_no_other(history: History, settings: Settings) -> None:
    bought = [("lamp", "light", "5", 1), ("rug", "floors", "7", 1)]
    read = items(history, settings, view(5), view(1, type="purchase", items=bought))
    assert [str(fact.price) for fact in read.facts] == ["39.90", "7.00"]


@pytest.mark.clickhouse
def test_takes_the_page_of_a_single_item_when_the_item_has_no_address(history: History, settings: Settings) -> None:
    both = view(1, items=[*LAMP, ("rug", "floors", "7", 1)], page_url="http://shop.test/list")
    own = view(2, items=[("torch", "light", "9", 1)], item_urls=["http://shop.test/torch"])
    read = items(history, settings, view(3, page_url="http://shop.test/p/lamp?id=7&utm_source=x#top"), both, own)
    assert {fact.item_id: fact.url for fact in read.facts} == {
        "lamp": "http://shop.test/p/lamp?id=7", "rug": "", "torch": "http://shop.test/torch",
    }  # fmt: skip


@pytest.mark.clickhouse
def test_a_browser_cannot_send_shoppers_elsewhere(history: History, settings: Settings) -> None:
    evil = view(1, item_urls=["http://evil.test/lamp"], page_url="http://evil.test/p")
    assert items(history, settings, view(2), evil).facts[0].url == "http://shop.test/p/lamp"


@pytest.mark.clickhouse
def test_a_server_may_name_any_address(history: History, settings: Settings) -> None:
    row = view(1, sender="server", item_urls=["https://other.test/lamp"])
    assert items(history, settings, row).facts[0].url == "https://other.test/lamp"


@pytest.mark.clickhouse
def test_a_browser_sets_no_price_when_the_site_does_not_trust_it(history: History, settings: Settings) -> None:
    careful = Site("demo", "pk_demo", "", ("http://shop.test",), trust_browser=False)
    server = view(5, sender="server", items=[("lamp", "light", "45", 1)])
    assert str(items(history, settings, server, view(1), site=careful).facts[0].price) == "45.00"


@pytest.mark.clickhouse
@pytest.mark.parametrize("price", ["24999000.5", "1000000000"])
def test_a_price_in_a_small_currency_is_exact_and_no_overflow(history: History, settings: Settings, price: str) -> None:
    dear = view(1, items=[("lamp", "light", price, 1)], currency="IDR")
    assert items(history, settings, dear).facts[0].price == Decimal(price)


@pytest.mark.clickhouse
def test_counts_fall_by_half_in_a_fortnight(history: History, settings: Settings) -> None:
    rows = (view(0.0001), view(14 * 24), view(14 * 24, type="purchase"), view(28 * 24, type="add_to_cart"))
    purchases, cart_adds, views = items(history, settings, *rows).counts[0]
    assert (round(purchases, 3), round(cart_adds, 3), round(views, 3)) == (0.5, 0.25, 1.5)


@pytest.mark.clickhouse
def test_what_comes_up_late_in_the_history_is_new_since_then(history: History, settings: Settings) -> None:
    def seen(item: str, days: float) -> dict[str, Any]:
        return view(days * 24, items=[(item, "light", "1", 1)], item_brands=["Lumo" if days > 5 else ""])

    read = items(
        history, settings, *(seen(*each) for each in [("old", 30), ("early", 24), ("new", 10), ("new", 2), ("old", 1)])
    )
    facts = {fact.item_id: fact for fact in read.facts}
    assert {item_id: fact.first_seen_ms for item_id, fact in facts.items()} == {
        "old": 0, "early": 0, "new": int((NOW - timedelta(days=10)).timestamp() * 1000),
    }  # fmt: skip
    assert facts["new"].brand == "Lumo"


def test_the_catalogue_s_items_are_learned_with_or_without_events() -> None:
    learned = Items([fact("lamp"), fact("rug")], np.array([[1.0, 2, 3], [4, 5, 6]]))
    row = encode_item(CatalogueItem(name="Lamp, new", currency="EUR", price_micros=1_000_000))
    state = CatalogueState(b"epoch", 7, True, 0)
    copy = CatalogueCopy(state, {"new": row, "lamp": row}, np.array([[5, 1]], np.int64))
    found = with_catalogue(learned, copy)
    assert [(facts.item_id, facts.name, facts.listed) for facts in found.facts] == [
        ("lamp", "Lamp, new", True), ("new", "Lamp, new", True), ("rug", "Rug", False),
    ]  # fmt: skip
    assert found.counts.tolist() == [[1, 2, 3], [0, 0, 0], [4, 5, 6]]
    assert found.goods
    assert found.goods.sound(3)
    assert (found.goods.complete.tolist(), found.goods.epoch.tobytes()) == ([True], b"epoch")
    assert found.goods.digest.tolist() == [digest(row), digest(row), 0]
    assert with_catalogue(learned, None) is learned


@pytest.mark.clickhouse
def test_bots_other_sites_and_old_history_are_left_out(history: History, settings: Settings) -> None:
    others = (view(bot="crawler"), view(site="other"), view(91 * 24), view(-1), view(session_id=""))
    insert_events(history, others)
    assert read_span(history, settings, SITE, NOW).events == 0
    assert items(history, settings, view()).counts[0][2] == pytest.approx(1.0, abs=0.01)


def test_sums_up_what_a_session_did_with_an_item() -> None:
    names = np.array([b"lamp", b"rug"])
    rows = [(7, 1, 0), (7, 0, 0), (7, 0, 0), (7, 0, 1), (7, 0, 2), (2**64 - 1, 0, 0)]
    sessions, items, kinds = zip(*rows, strict=True)
    found = interactions_of(
        Clicks(names, np.array(sessions, np.uint64), np.array(items, np.int32), np.array(kinds, np.uint8), np.arange(6))
    )
    columns = (found.sessions, found.items, found.views, found.cart_adds, found.purchases)
    assert list(zip(*(column.tolist() for column in columns), strict=True)) == [
        (7, 0, 2, 1, 1), (7, 1, 1, 0, 0), (2**64 - 1, 0, 1, 0, 0),
    ]  # fmt: skip


@pytest.mark.parametrize("piece", [1, 2, 7, 100])
def test_pieces_of_sessions_sum_up_to_the_same(piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    sessions = np.sort(rng.integers(0, 12, 60)).astype(np.uint64)
    items, kinds = rng.integers(0, 5, 60).astype(np.int32), rng.integers(0, 3, 60).astype(np.uint8)
    clicks = Clicks(np.array([b"a", b"b", b"c", b"d", b"e"]), sessions, items, kinds, np.arange(60))
    at_once = vars(interactions_of(clicks))
    monkeypatch.setattr("personalizer.learning.history.PIECE", piece)
    in_pieces = vars(interactions_of(clicks))
    assert all(np.array_equal(in_pieces[name], column) and len(column) > 30 for name, column in at_once.items())


def test_no_clicks_are_no_interactions() -> None:
    assert len(interactions_of(Clicks.none()).items) == 0


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("http://shop.test/p?id=1&utm_source=a&gclid=b", "http://shop.test/p?id=1"),
        ("https://shop.test/p#reviews", "https://shop.test/p"),
        ("https://shop.test/p?q=a%26b", "https://shop.test/p?q=a%26b"),
        ("javascript:alert(1)", ""),
        ("data:text/html,x", ""),
        ("//shop.test/p", ""),
        ("http://shop.test@evil.test/", ""),
        ("http://[::1", ""),
        ("", ""),
    ],
)
def test_addresses_are_cleaned_or_refused(given: str, expected: str) -> None:
    assert shop_address(given) == expected
