"""Readers of logs: small logs in, rows out."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from tracker.replay_formats import FORMATS, Bad, LeftOut, Outcome, Row, WrongHeader, instant, made_up_price


def read(format_name: str, text: str, currency: str = "EUR") -> list[Outcome]:
    return list(FORMATS[format_name](text.splitlines(keepends=True), currency))


def one_row(format_name: str, text: str, currency: str = "EUR") -> Row:
    [row] = read(format_name, text, currency)
    assert isinstance(row, Row), row
    return row


def one_reason(format_name: str, text: str) -> str:
    [bad] = read(format_name, text)
    assert isinstance(bad, Bad), bad
    return bad.reason


EIGHT_DAYS = "timestamp,visitorid,event,itemid,categoryid\n"
KAGGLE = "timestamp,visitorid,event,itemid,transactionid\n"


def test_reads_eight_day_file_in_seconds() -> None:
    row = one_row("retailrocket", EIGHT_DAYS + "1441852593,1145517,view,165162,1173\n")
    assert instant(row.at) == datetime(2015, 9, 10, 2, 36, 33, tzinfo=UTC)
    assert (row.line, row.visitor, row.join) == (2, "1145517", "")
    assert row.event == {
        "type": "view_item",
        "currency": "EUR",
        "items": [{"item_id": "165162", "price": made_up_price("165162"), "quantity": 1, "item_category": "1173"}],
    }


def test_reads_kaggle_file_in_milliseconds() -> None:
    row = one_row("retailrocket", KAGGLE + "1433221332117,257597,addtocart,355908,\n")
    assert instant(row.at) == datetime(2015, 6, 2, 5, 2, 12, 117000, tzinfo=UTC)
    assert row.event["type"] == "add_to_cart"
    assert "item_category" not in row.event["items"][0]


def test_order_is_the_transaction_id_where_there_is_one() -> None:
    row = one_row("retailrocket", KAGGLE + "1433222276276,599528,transaction,356475,4000\n")
    assert (row.event["type"], row.event["transaction_id"]) == ("purchase", "rr-4000")


def test_order_is_visitor_and_second_where_there_is_no_id() -> None:
    row = one_row("retailrocket", EIGHT_DAYS + "1441857213,455863,transaction,222333,1542\n")
    assert row.event["transaction_id"] == "rr-455863-1441857213"


def test_price_is_fixed_by_item_id() -> None:
    assert made_up_price("165162") == made_up_price("165162") == Decimal("9.99")
    assert all(Decimal("1.99") <= made_up_price(str(number)) <= Decimal("198.99") for number in range(2000))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("1441852593,1,look,2,3", "event: expected view, addtocart or transaction, got 'look'"),
        ("soon,1,view,2,3", "timestamp: expected a whole number, got 'soon'"),
        (
            "1441852,1,view,2,3",
            "timestamp: expected seconds or milliseconds since 1970, in the years 2000 to 2099, got 1441852",
        ),
        ("1441852593,,view,2,3", "visitorid: expected an id, got nothing"),
        ("1441852593,1,view, ,3", "itemid: expected an id, got nothing"),
        ("1441852593,1,view", "expected 5 columns, got 3"),
    ],
)
def test_says_why_a_line_is_bad(line: str, reason: str) -> None:
    assert one_reason("retailrocket", EIGHT_DAYS + line + "\n") == reason


def test_bad_line_has_its_number_and_the_next_is_read() -> None:
    outcomes = read("retailrocket", EIGHT_DAYS + "x\n\n1441852593,1,view,2,3\n")
    assert [(type(each), each.line) for each in outcomes] == [(Bad, 2), (Row, 4)]


def test_refuses_a_header_without_the_columns() -> None:
    with pytest.raises(WrongHeader, match="itemid not in the first line: timestamp, visitorid, event"):
        read("retailrocket", "timestamp,visitorid,event\n")
    with pytest.raises(WrongHeader, match="an empty line"):
        read("ga4-csv", "")


GA4 = "event_timestamp,event_name,user_pseudo_id,user_id,page_location,page_referrer,page_title"


def test_reads_ga4_page_view() -> None:
    text = f"{GA4}\n1763719200000123,page_view,11.22,c-7,https://shop.example/,https://search.example/,Shop\n"
    row = one_row("ga4-csv", text)
    assert instant(row.at) == datetime(2025, 11, 21, 10, 0, 0, 123, tzinfo=UTC)
    assert row.visitor == "11.22"
    assert row.event == {
        "type": "page_view",
        "customer_id": "c-7",
        "page": {"url": "https://shop.example/", "referrer": "https://search.example/", "title": "Shop"},
    }


def ga4(**cells: str) -> str:
    cells = {"event_timestamp": "1763719200000000", "user_pseudo_id": "v", **cells}
    quoted = ['"' + value.replace('"', '""') + '"' for value in cells.values()]
    return ",".join(cells) + "\n" + ",".join(quoted) + "\n"


def test_reads_ga4_items_as_json() -> None:
    items = [{"item_id": "L1", "item_name": "Lamp", "price": 39.9, "quantity": "2", "item_list_id": "x", "coupon": None}]
    row = one_row(
        "ga4-csv",
        ga4(
            event_name="purchase",
            items=json.dumps(items),
            currency="USD",
            ecommerce_transaction_id="T1",
            ecommerce_purchase_revenue="84.80",
            ecommerce_shipping_value="5",
        ),
    )
    assert row.join == ""
    assert row.event == {
        "type": "purchase",
        "transaction_id": "T1",
        "value": Decimal("84.80"),
        "shipping": Decimal(5),
        "currency": "USD",
        "items": [{"item_id": "L1", "item_name": "Lamp", "price": Decimal("39.9"), "quantity": 2}],
    }


def test_reads_ga4_item_columns_as_one_line_an_item() -> None:
    row = one_row("ga4-csv", ga4(event_name="add_to_cart", item_id="L1", item_category="Light", price="3", quantity=""))
    assert row.event["items"] == [{"item_id": "L1", "item_category": "Light", "price": Decimal(3), "quantity": 1}]
    assert row.event["currency"] == "EUR"
    assert row.join


def test_ga4_columns_may_have_dots_and_capitals() -> None:
    row = one_row("ga4-csv", ga4(event_name="refund", **{"Ecommerce.Transaction_ID": "T9"}))
    assert row.event["transaction_id"] == "T9"


def test_ga4_search_results_are_a_search() -> None:
    row = one_row("ga4-csv", ga4(event_name="view_search_results", search_term="lamp"))
    assert row.event == {"type": "search", "search_term": "lamp"}


def test_ga4_not_set_is_nothing() -> None:
    row = one_row("ga4-csv", ga4(event_name="page_view", user_id="(not set)", page_title="null"))
    assert row.event == {"type": "page_view"}


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"event_name": "user_engagement"}, "event user_engagement is not one that a shop observes"),
        ({"event_name": "page_view", "user_pseudo_id": ""}, "no user_pseudo_id: the visitor had not consented"),
    ],
)
def test_leaves_out_what_is_not_ours(cells: dict[str, str], reason: str) -> None:
    assert read("ga4-csv", ga4(**cells)) == [LeftOut(2, reason)]


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"items": "{}"}, "items: expected a JSON list of objects, got '{}'"),
        ({"items": "[1"}, "items: expected JSON: "),
        ({"item_id": "a", "price": "cheap"}, "price: expected a number, got 'cheap'"),
        ({"item_id": "a", "price": "inf"}, "price: expected a number, got 'inf'"),
        ({"event_timestamp": "1763719200"}, "event_timestamp: expected microseconds since 1970, in the years"),
    ],
)
def test_says_why_a_ga4_line_is_bad(cells: dict[str, str], reason: str) -> None:
    assert one_reason("ga4-csv", ga4(event_name="view_item", **cells)).startswith(reason)


def line(**fields: Any) -> str:
    return json.dumps({"visitor": "v-1", "type": "page_view", "occurred_at": "2026-11-21T10:00:00+01:00", **fields}) + "\n"


def test_reads_jsonl_as_the_wire_has_it() -> None:
    row = one_row("jsonl", line(event_id="e-1", properties={"width": 2.5}))
    assert instant(row.at) == datetime(2026, 11, 21, 9, tzinfo=UTC)
    assert row.visitor == "v-1"
    assert row.event == {"type": "page_view", "event_id": "e-1", "properties": {"width": Decimal("2.5")}}


def test_jsonl_may_have_empty_lines() -> None:
    assert [each.line for each in read("jsonl", "\n" + line() + "\n" + line())] == [2, 4]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "line: expected JSON: "),
        ("[]", "expected a JSON object, got list"),
        (line(visitor=""), "visitor: expected text, got ''"),
        (line(occurred_at="2026-11-21T10:00:00"), "occurred_at: expected ISO 8601 with a time zone"),
        (line(occurred_at="1066-10-14T00:00:00Z"), "occurred_at: expected a moment in the years 2000 to 2099"),
        (line(customer_id="\ud800"), "line: expected JSON: "),
        ("[" * 100_000, "line: expected JSON: "),
    ],
)
def test_says_why_a_json_line_is_bad(text: str, reason: str) -> None:
    assert one_reason("jsonl", text).startswith(reason)
