"""The live profile made readable."""

from decimal import Decimal

from baliza.readiness.model import Calibration, ReadinessModel
from schema.profile import (
    BoughtItem,
    Cart,
    CartLine,
    CategoryCount,
    Link,
    LiveSession,
    Order,
    Revenue,
    ViewedItem,
    VisitorProfile,
)
from tracker.profiles import describe_session, describe_visitor

T = 1_763_719_204_000  # 2025-11-21T10:00:04Z
SESSION = LiveSession(
    "s-1", T, T, T + 90_500, 5, 2, 1, 1, 1, [Revenue("EUR", 39_900_000)], "http://shop.test/p?utm_source=News", "http://a.test/",
    "lamp", [CategoryCount("Light", 2)],
)  # fmt: skip
PROFILE = VisitorProfile(
    first_seen_at=T - 5_000,
    last_seen_at=T + 90_500,
    sessions=3,
    links=[Link("anna", T)],
    past=[],
    viewed=[
        ViewedItem("OLD", "", "", 1, T - 1, -1, ""),
        ViewedItem("A", "Light", "Lamp", 2, T, 39_900_000, "EUR"),
        ViewedItem("B", "", "", 1, T + 5, 500_000, "EUR"),
    ],
    orders=[Order("T-0", T - 1, 0, "", []), Order("T-1", T + 9, 39_900_000, "EUR", [BoughtItem("A", 1)])],
    cart=Cart("EUR", T + 7, 0, [CartLine("A", 2, 39_900_000, "Lamp", "Light"), CartLine("B", 1, -1, "", "")]),
    session=SESSION,
    customer_id="anna",
)


def test_a_session_tells_who_whence_and_what() -> None:
    found = describe_session("v-1", PROFILE, SESSION, T + 100_000, 1_800_000)
    assert (found["session_id"], found["visitor_id"], found["who"], found["customer_id"]) == (
        "s-1",
        "v-1",
        "registered",
        "anna",
    )
    assert (found["started_at"], found["last_event_at"], found["duration_s"]) == (
        "2025-11-21T10:00:04.000Z",
        "2025-11-21T10:01:34.500Z",
        90.5,
    )
    assert (found["events"], found["page_views"], found["item_views"], found["cart_adds"]) == (5, 2, 1, 1)
    assert (found["landing_path"], found["source"], found["search_term"]) == ("/p", "news", "lamp")
    assert (found["categories"], found["revenue"]) == ({"Light": 2}, {"EUR": Decimal("39.90")})


def test_a_session_tells_only_what_is_its_own_the_newest_first() -> None:
    found = describe_session("v-1", PROFILE, SESSION, T, 1_800_000)
    assert [item["item_id"] for item in found["viewed"]] == ["B", "A"]
    assert [order["order_id"] for order in found["bought"]] == ["T-1"]
    assert [item["item_id"] for item in describe_visitor("v-1", PROFILE)["viewed"]] == ["B", "A", "OLD"]


def test_a_session_is_live_until_it_was_idle_too_long() -> None:
    over = SESSION.ended_at + 1_800_000
    assert describe_session("v-1", PROFILE, SESSION, over, 1_800_000)["live"] is True
    assert describe_session("v-1", PROFILE, SESSION, over + 1, 1_800_000)["live"] is False


def test_a_session_tells_how_ready_it_is_and_what_it_is_for() -> None:
    found = describe_session("v-1", PROFILE, SESSION, T + 100_000, 1_800_000)
    assert found["purpose"] == "buy"
    assert found["purposes"] == {"inform": 0.008, "browse": 0.012, "buy": 0.98}
    assert found["readiness"] == {"probability": 0.4891, "basis": "rules"}
    later = describe_session("v-1", PROFILE, SESSION, T + 1_500_000, 1_800_000)
    assert later["readiness"]["probability"] < 0.15


def test_a_model_is_asked_where_there_is_one() -> None:
    model = ReadinessModel("1", lambda seen: seen[0], Calibration(slope=0, shift=1))
    found = describe_session("v-1", PROFILE, SESSION, T + 100_000, 1_800_000, model)
    assert found["readiness"] == {"probability": 0.2689, "basis": "model"}


def test_of_a_session_that_is_over_no_order_is_expected() -> None:
    found = describe_session("v-1", PROFILE, SESSION, SESSION.ended_at + 1_800_001, 1_800_000)
    assert (found["readiness"], found["purpose"]) == (None, "buy")


def test_the_cart_counts_lines_without_price_as_pieces_only() -> None:
    cart = describe_visitor("v-1", PROFILE)["cart"]
    assert (cart["pieces"], cart["value"], cart["currency"]) == (3, Decimal("79.80"), "EUR")
    assert [line["price"] for line in cart["lines"]] == [Decimal("39.90"), None]


def test_a_visitor_tells_of_all_sessions() -> None:
    found = describe_visitor("v-1", PROFILE)
    assert found["links"] == [{"customer_id": "anna", "since": "2025-11-21T10:00:04.000Z"}]
    assert (found["sessions"], [order["order_id"] for order in found["orders"]]) == (3, ["T-0", "T-1"])


def test_a_page_whose_url_is_none_does_not_matter() -> None:
    broken = LiveSession("s", T, T, T, 1, 1, 0, 0, 0, [], "http://[broken", "http://[x", "", [])
    assert describe_session("v", PROFILE, broken, T, 1)["landing_path"] == ""
