"""Reports over HTTP."""

import csv
import io
from datetime import timedelta
from decimal import Decimal

import pytest
from flask.testing import FlaskClient

from baliza.stores import History
from tests.console.conftest import TOKEN
from tests.console.test_reports import bought, visit
from tests.support.rows import NOON, event_row, insert_events

pytestmark = [pytest.mark.redis, pytest.mark.clickhouse]
PATH = "/v1/reports/sessions"


def test_sessions_come_with_their_summary(client: FlaskClient, history: History) -> None:
    insert_events(history, [bought("a", 20), visit("b", 10)])
    body = client.get(PATH, headers=TOKEN).json
    assert [row["session_id"] for row in body["sessions"]] == ["b", "a"]
    assert body["sessions"][1]["revenue"] == {"EUR": "20.00"}
    assert (body["summary"]["sessions"], body["summary"]["with_purchase"]) == (2, 1)
    assert (body["timezone"], body["since"], body["next"]) == ("UTC", "2026-11-15T00:00:00Z", None)


def test_cursor_leads_through_all_pages(client: FlaskClient, history: History) -> None:
    insert_events(history, [visit(f"s-{n}", n) for n in range(1, 6)])
    first = client.get(f"{PATH}?limit=3", headers=TOKEN).json
    second = client.get(PATH, query_string={"limit": 3, "cursor": first["next"]}, headers=TOKEN).json
    assert [row["session_id"] for row in first["sessions"] + second["sessions"]] == [f"s-{n}" for n in range(1, 6)]
    assert (second["next"], second["summary"]) == (None, None)


def test_csv_has_all_sessions_or_a_page(client: FlaskClient, history: History) -> None:
    insert_events(history, [visit(f"s-{n:04}", n / 10, campaign="=cmd()") for n in range(1200)])
    whole = client.get(f"{PATH}?format=csv", headers=TOKEN)
    rows = list(csv.DictReader(io.StringIO(whole.text)))
    assert (whole.mimetype, len(rows)) == ("text/csv", 1200)
    assert {row["campaign"] for row in rows} == {"'=cmd()"}
    assert 'filename="sessions-demo-2026-11-15.csv"' in whole.headers["Content-Disposition"]
    page = client.get(f"{PATH}?format=csv&limit=2", headers=TOKEN)
    assert len(page.text.splitlines()) == 3
    assert page.headers["X-Next-Cursor"].endswith(".s-0001")


def test_csv_of_nothing_is_a_header(client: FlaskClient) -> None:
    assert client.get(f"{PATH}?format=csv", headers=TOKEN).text.startswith("session_id,visitor_id,")


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("format=xml", "format: expected json or csv, got 'xml'"),
        ("limit=0", "limit: expected a whole number from 1 to 1000, got '0'"),
        ("since=x", "since: expected a date such as 2026-11-21 or an instant such as 2026-11-21T10:00:00Z, got 'x'"),
    ],
)
def test_bad_arguments_are_400_problems(client: FlaskClient, query: str, detail: str) -> None:
    answer = client.get(f"{PATH}?{query}", headers=TOKEN)
    assert (answer.status_code, answer.mimetype, answer.json["detail"]) == (400, "application/problem+json", detail)


def test_story_tells_items_and_cart(client: FlaskClient, history: History) -> None:
    cart = {"cart_pieces": 2, "cart_value": Decimal("79.8")}
    insert_events(
        history,
        [
            event_row(occurred_at=NOON - timedelta(minutes=5)),
            event_row(
                type="add_to_cart",
                items=[("LAMP-1", "Light", 39.9, 2)],
                session_opened_at=NOON - timedelta(minutes=5),
                **cart,
            ),
        ],
    )
    body = client.get(f"{PATH}/s-1", headers=TOKEN).json
    assert [event["type"] for event in body["events"]] == ["page_view", "add_to_cart"]
    assert body["events"][1]["items"][0]["price"] == "39.90"
    assert (body["events"][1]["gap_s"], body["events"][1]["cart_value"]) == (300, "79.80")


def test_token_of_one_site_sees_nothing_of_another(client: FlaskClient, history: History) -> None:
    insert_events(history, [visit("secret", site="demo"), visit("own", site="other")])
    other = {"Authorization": "Bearer tok_other"}
    assert [row["session_id"] for row in client.get(PATH, headers=other).json["sessions"]] == ["own"]
    assert "secret" not in client.get(f"{PATH}?format=csv", headers=other).text
    answer = client.get(f"{PATH}/secret", headers=other)
    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")
