"""What became of offers, from decisions and events in a real history."""

from datetime import timedelta
from decimal import Decimal

import pytest

from baliza.stores import History
from personalizer.feedback.report import Answered, Line, interval, read_answers, show, total
from tests.personalizer.feedback.told import NOW, START, bought, decide, offered, tell, tell_each, told

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
on_history = pytest.mark.clickhouse


def read(history: History, site: str = "demo") -> list[Answered]:
    return read_answers(history, site, START - DAY, NOW)


def only(history: History) -> Answered:
    (found,) = read(history)
    return found


@on_history
def test_follows_an_offer_from_the_decision_to_the_order(history: History) -> None:
    decide(history, offered("d-1", "bulb rug lamp"))
    tell(history, told("offer_shown", "d-1", "bulb rug"), told("offer_clicked", "d-1", "bulb", START + MINUTE))
    tell(history, told("add_to_cart", "", "bulb", START + 2 * MINUTE), told("offer_dismissed", "d-1", "rug"))
    tell(history, bought("o-1", [("bulb", "4.50", 3), ("cable", "9", 1)], START + HOUR))
    found = only(history)
    assert (found.placement, found.source, found.response_code) == ("cart", "together", "cart.together")
    assert (found.decided, found.shown, found.clicked, found.dismissed, found.added, found.bought) == (3, 2, 1, 1, 1, 1)
    assert found.earned == {"EUR": Decimal("13.50")}
    assert found.via_click == 1


@on_history
def test_what_is_told_twice_or_late_or_out_of_order_counts_once(history: History) -> None:
    click, order = told("offer_clicked", "d-1", "bulb", START + MINUTE), bought("o-1", [("bulb", "5", 1)], START + HOUR)
    tell_each(history, [order, click, click, told("offer_clicked", "d-1", "bulb", START + 2 * MINUTE)])
    assert read(history) == []
    decide(history, offered("d-1", "bulb"))
    decide(history, offered("d-1", "bulb"), offered("d-2", "rug"))  # carried again, in another block
    tell_each(history, [told("offer_shown", "d-1", "bulb"), told("offer_shown", "d-1", "bulb")])
    found = only(history)
    assert (found.decided, found.shown, found.clicked, found.bought) == (2, 1, 1, 1)


@on_history
def test_a_click_says_that_the_offer_was_seen(history: History) -> None:
    decide(history, offered("d-1", "bulb"))
    tell(history, told("offer_clicked", "d-1", "bulb"))
    assert (only(history).shown, only(history).clicked) == (1, 1)


@on_history
def test_bots_are_left_out(history: History) -> None:
    decide(history, offered("d-1", "bulb"), offered("d-2", "bulb", visitor_id="robot"))
    tell(history, told("offer_clicked", "d-1", "bulb", bot="crawler", visitor_id="v-1", session_id="s-9"))
    tell(history, told("offer_shown", "d-2", "bulb", bot="crawler", visitor_id="robot"))
    tell(history, told("page_view", "", "", visitor_id="v-1"))
    # v-1 shared a browser with a robot once, and what bots are told is no decision for people.
    assert read(history) == []


@on_history
def test_other_sites_other_times_and_offers_nobody_made_do_not_count(history: History) -> None:
    decide(history, offered("d-1", "bulb", site="other"), offered("d-2", "bulb", START - 2 * DAY))
    tell(history, told("offer_clicked", "d-1", "bulb"), told("offer_clicked", "invented", "bulb"))
    assert read(history) == []
    assert [found.decided for found in read(history, "other")] == [1]


@on_history
def test_only_what_is_bought_within_five_days_by_the_same_visitor_after_seeing_it_counts(history: History) -> None:
    decide(history, offered("d-1", "bulb rug lamp case"))
    tell(history, told("offer_shown", "d-1", "bulb rug lamp"))
    tell(
        history,
        bought("late", [("bulb", "5", 1)], START + 5 * DAY + MINUTE),
        bought("before", [("rug", "5", 1)], START - MINUTE),
        bought("other", [("lamp", "5", 1)], START + HOUR, visitor_id="v-2"),
        bought("unseen", [("case", "5", 1)], START + HOUR),
    )
    assert (only(history).bought, only(history).earned) == (0, {})
    tell(history, bought("in time", [("bulb", "5", 1)], START + 5 * DAY - MINUTE))
    assert (only(history).bought, only(history).via_click) == (1, 0)


@on_history
def test_an_order_is_credited_to_one_offer_the_one_clicked_last_before_the_one_seen_last(history: History) -> None:
    for number, placement in enumerate(["home", "product", "cart"]):
        at = START + number * HOUR
        decide(history, offered(f"d-{number}", "bulb", at, placement=placement))
        tell(history, told("offer_shown", f"d-{number}", "bulb", at))
    tell(history, bought("o-1", [("bulb", "5", 1)], START + 4 * HOUR))
    assert {found.placement: found.bought for found in read(history)} == {"home": 0, "product": 0, "cart": 1}
    tell(history, told("offer_clicked", "d-0", "bulb", START + MINUTE))
    assert {found.placement: found.bought for found in read(history)} == {"home": 1, "product": 0, "cart": 0}
    assert total(read(history)).earned == {"EUR": Decimal(5)}


@on_history
def test_the_code_on_the_order_wins(history: History) -> None:
    for number, code in enumerate(["RC-A", "RC-B"]):
        at = START + number * HOUR
        offers = offered(f"d-{number}", "bulb", at).offers
        decide(
            history,
            offered(f"d-{number}", "bulb", at, offers=tuple(type(o)("bulb", 1, 0.5, "s", "r", code) for o in offers)),
        )
        tell(history, told("offer_shown", f"d-{number}", "bulb", at))
    tell(history, bought("o-1", [("bulb", "5", 1)], START + 2 * HOUR, response_code="RC-A"))
    assert {found.response_code: found.bought for found in read(history)} == {"RC-A": 1, "RC-B": 0}
    tell(history, bought("o-2", [("bulb", "5", 1)], START + 3 * HOUR, response_code="MAIL"))
    tell(history, bought("o-3", [("bulb", "5", 1)], START + 3 * HOUR, decision_id="d-1"))
    assert {found.response_code: found.earned for found in read(history)} == {
        "RC-A": {"EUR": Decimal(5)},
        "RC-B": {"EUR": Decimal(5)},
    }


@on_history
def test_money_of_a_sender_that_is_not_trusted_is_no_revenue(history: History) -> None:
    decide(history, offered("d-1", "bulb"))
    tell(history, told("offer_shown", "d-1", "bulb"), bought("o-1", [("bulb", "5", 1)], START + HOUR, revenue=Decimal(0)))
    assert (only(history).bought, only(history).earned) == (1, {})


@on_history
def test_currencies_are_not_mixed_and_a_cart_told_as_a_whole_counts(history: History) -> None:
    decide(history, offered("d-1", "bulb rug"))
    tell(history, told("offer_shown", "d-1", "bulb rug"), told("sync_cart", "", "bulb rug", START + MINUTE))
    dollars = bought("o-2", [("rug", "0", 1)], START + HOUR, currency="USD", revenue=Decimal(7))
    tell(history, bought("o-1", [("bulb", "5", 1)], START + HOUR), dollars)
    found = only(history)
    assert (found.added, found.bought) == (2, 2)
    assert found.earned == {"EUR": Decimal(5), "USD": Decimal(7)}


def test_the_interval_is_wilsons() -> None:
    # Newcombe (1998), table I: 15/148 and 1/29.
    assert interval(15, 148) == pytest.approx((0.0624, 0.1605), abs=0.0001)
    assert interval(1, 29) == pytest.approx((0.0061, 0.1718), abs=0.0001)
    assert interval(0, 20) == pytest.approx((0.0, 0.1611), abs=0.0001)
    assert interval(0, 0) == (None, None)


def test_a_line_has_rate_and_money_for_people() -> None:
    found = Answered("home", "sellers", "RC", 10, 8, 2, 0, 1, 1, 1, {"USD": Decimal("3.500000"), "EUR": Decimal("13.5")})
    assert show(found) == Line(
        "home", "sellers", "RC", 10, 8, 2, 0, 1, 1, {"EUR": Decimal("13.50"), "USD": Decimal("3.50")}, 0.25, *interval(2, 8)
    )
    assert show(Answered("home", "sellers", "RC", 10)).rate is None


def test_a_total_adds_up() -> None:
    each = Answered("home", "sellers", "RC", 10, 8, 2, 1, 1, 1, 1, {"EUR": Decimal(5)})
    assert total([each, each], "all") == Answered("all", "", "", 20, 16, 4, 2, 2, 2, 2, {"EUR": Decimal(10)})
