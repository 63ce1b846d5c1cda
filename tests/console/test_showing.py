"""How values are written for people."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from console.rows import StoryEvent, StoryItem, story_events
from console.showing import clock, day, day_and_clock, headline, icon_of, length, money, outcome, safe_link, share
from schema.events import EVENT_TYPES
from tests.console.test_export import ROW
from tests.support.rows import NOON, event_row

MADRID = ZoneInfo("Europe/Madrid")


def event(kind: str, *items: str, **given: str) -> StoryEvent:
    (made,) = story_events([event_row(type=kind, **given)])
    return replace(made, items=[StoryItem(item, f"Name of {item}", "", "", None, 1, "") for item in items])


@pytest.mark.parametrize(
    ("amount", "currency", "written"),
    [
        ("1234.5", "EUR", "€1,234.50"),
        ("5", "USD", "$5.00"),
        ("1200", "JPY", "¥1,200"),
        ("3.1", "SEK", "SEK 3.10"),
        ("3", "", "3.00"),
    ],
)
def test_money_is_written_by_its_currency(amount: str, currency: str, written: str) -> None:
    assert money(amount, currency) == written


@pytest.mark.parametrize(
    ("seconds", "written"), [(0, "0 s"), (59, "59 s"), (60, "1 min"), (3900, "1 h 05 min"), (97_200, "1 d 3 h")]
)
def test_length_uses_the_unit_that_fits(seconds: int, written: str) -> None:
    assert length(seconds) == written


def test_times_are_in_the_sites_zone() -> None:
    late = datetime(2026, 11, 21, 23, 30, tzinfo=UTC)
    assert (day(late, MADRID), clock(late, MADRID)) == ("Sun 22 Nov", "00:30")
    assert day_and_clock(NOON, MADRID) == "Sat 21 Nov 2026, 13:00"


def test_share_of_nothing_is_nothing() -> None:
    assert [share(0, 0), share(1, 8), share(8, 8)] == ["0 %", "12.5 %", "100 %"]


def test_outcome_names_what_mattered_most() -> None:
    assert outcome(ROW) == "bought"
    unbought = replace(ROW, purchases=0, cart_pieces=1)
    assert outcome(unbought) == "cart"
    assert outcome(replace(unbought, abandoned=True)) == "abandoned"
    assert outcome(replace(ROW, purchases=0)) == "browsed"
    assert outcome(replace(ROW, bot="crawler")) == "bot"


def test_headline_names_items_and_terms() -> None:
    assert headline(event("add_to_cart", "A")) == "Put Name of A into the cart"
    assert headline(event("purchase", "A", "B", "C")) == "Bought Name of A, Name of B and 1 more"
    assert headline(event("search", search_term="lamp {0}")) == "Searched for “lamp {0}”"
    assert headline(event("faro_click", content_kind="ad", content_id="x")) == "Clicked ad x"
    assert headline(event("from_the_future")) == "from_the_future"


@pytest.mark.parametrize("kind", EVENT_TYPES)
def test_every_event_type_has_a_sentence_and_an_icon(kind: str) -> None:
    assert headline(event(kind, "A")) != kind
    assert icon_of(event(kind))


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "//evil.test", "http://[bad", "", "JaVaScript:x"]
)
def test_only_web_addresses_are_links(url: str) -> None:
    assert safe_link(url) == ""
    assert safe_link("https://shop.test/p") == "https://shop.test/p"
