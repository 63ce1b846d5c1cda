"""Time, money and what a type needs."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schema.events import EVENT_TYPES, MAX_MONEY, NEEDS_ITEMS, Event
from tests.support.collecting import START, event
from tracker import checks
from tracker.checks import FAROS, YEAR_2000_MS, TimeWindow, find_problem

NOW_MS = int(START.timestamp() * 1000)
BROWSER, SERVER = TimeWindow(NOW_MS, 72 * 3_600_000, 300_000), TimeWindow(NOW_MS, None, 300_000)


def wrong(window: TimeWindow = BROWSER, at_ms: int = NOW_MS, **fields: Any) -> str | None:
    """The field that is found wrong in an event, or None."""
    decoded = msgspec.convert(event(**fields), Event)
    problem = find_problem(decoded, at_ms, window)
    return problem.field if problem else None


@pytest.mark.parametrize(
    ("window", "at_ms", "right"),
    [
        (BROWSER, NOW_MS - 72 * 3_600_000, True),
        (BROWSER, NOW_MS - 72 * 3_600_000 - 1, False),
        (BROWSER, NOW_MS + 300_000, True),
        (BROWSER, NOW_MS + 300_001, False),
        (SERVER, NOW_MS + 300_001, False),
        (SERVER, YEAR_2000_MS, True),
        (SERVER, YEAR_2000_MS - 1, False),
    ],
)
def test_times_are_taken_to_the_millisecond(window: TimeWindow, at_ms: int, right: bool) -> None:
    assert (wrong(window, at_ms) is None) is right


@pytest.mark.parametrize("kind", sorted(NEEDS_ITEMS))
def test_some_types_need_items(kind: str) -> None:
    assert wrong(kind=kind) == "items"
    assert wrong(kind=kind, item="A") is None


@pytest.mark.parametrize("kind", sorted(FAROS))
def test_faros_need_content(kind: str) -> None:
    assert wrong(kind=kind) == "content"
    assert wrong(kind=kind, content={"kind": "ad", "id": "a"}) is None


@pytest.mark.parametrize("name", ["value", "shipping", "tax"])
@pytest.mark.parametrize(
    ("amount", "right"),
    [(0, True), (MAX_MONEY, True), (MAX_MONEY + Decimal("0.000001"), False), (Decimal("-0.000001"), False),
     (Decimal("NaN"), False), (Decimal("sNaN"), False),
     (Decimal("-Infinity"), False), (Decimal("1E+999999"), False), (Decimal("1E-999999"), True)],
)  # fmt: skip
def test_money_is_finite_and_within_bounds(name: str, amount: Any, right: bool) -> None:
    assert wrong(**{name: amount}, currency="EUR") == (None if right else name)


def test_prices_and_discounts_are_money_wherever_they_stand() -> None:
    assert wrong(items=[("A", "", 1), ("B", "", -1)], kind="view_item") == "items[1].price"
    decoded = event("page_view") | {"items": [{"item_id": "A", "discount": -1}]}
    problem = find_problem(msgspec.convert(decoded, Event), NOW_MS, BROWSER)
    assert problem is not None
    assert problem.sentence("events[0]") == "expected number ≥ 0, got -1 at events[0].items[0].discount"


@pytest.mark.parametrize(("currency", "right"), [("EUR", True), ("JPY", True), ("XQQ", False), (None, False)])
def test_a_value_has_a_currency_of_the_world(currency: str | None, right: bool) -> None:
    assert wrong(value=5, currency=currency) == (None if right else "currency")


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_what_is_plain_at_a_glance_is_right_when_looked_at(data: st.DataObject) -> None:
    amounts = st.sampled_from([None, "0", "39.90", "1000000000", "1000000000.000001", "-1", "NaN", "sNaN", "Infinity"])
    money = st.fixed_dictionaries({}, optional=dict.fromkeys(("value", "shipping", "tax"), amounts))
    items = st.lists(
        st.fixed_dictionaries({"item_id": st.just("A")}, optional={"price": amounts, "discount": amounts}), max_size=2
    )
    fields = data.draw(money) | {
        "items": data.draw(items),
        "currency": data.draw(st.sampled_from([None, "EUR", "XXX", "EUX"])),
    }
    made = {"event_id": "e", "type": data.draw(st.sampled_from(EVENT_TYPES)), "occurred_at": START} | fields
    try:
        said = msgspec.convert(made, Event)
    except msgspec.ValidationError:
        return
    if checks._is_plain(said):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(checks, "_is_plain", lambda _event: False)
            assert find_problem(said, NOW_MS, BROWSER) is None


def test_an_order_is_worth_no_more_than_can_be_counted() -> None:
    assert wrong(kind="purchase", items=[("A", "", 10_000, 100_000)]) is None
    assert wrong(kind="purchase", items=[("A", "", 10_000, 100_000), ("B", "", "0.01", 1)]) == "items"
    assert wrong(kind="purchase", items=[("A", "", 5)], currency=None) == "currency"
    assert wrong(kind="purchase", items=["A"], currency=None) is None
    assert wrong(kind="purchase", items=["A"], transaction_id=None) == "transaction_id"
