"""Sessions as CSV."""

import csv
import io
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from console.export import COLUMNS, csv_lines
from console.rows import SessionRow
from tests.support.rows import NOON

ROW = SessionRow(
    session_id="s-1", visitor_id="v-1", customer_id="", started_at=NOON, ended_at=NOON, duration_s=0, events=1, page_views=1,
    item_views=0, cart_adds=0, checkouts=0, purchases=1, revenue={"EUR": "20.00", "USD": "5.50"}, cart_pieces=0,
    cart_value="0.00", cart_currency="EUR", abandoned=False, purpose="buy", landing_path="/", referrer="",
    source="direct", medium="",
    campaign="", device="desktop", browser="Firefox", os="Linux", bot="",
)  # fmt: skip


def cells(row: SessionRow, zone: str = "UTC") -> dict[str, str]:
    (read,) = csv.DictReader(io.StringIO("".join(csv_lines([row], ZoneInfo(zone)))))
    return read


def test_no_session_is_still_a_header() -> None:
    assert list(csv_lines([], ZoneInfo("UTC"))) == [",".join(COLUMNS) + "\r\n"]


def test_every_field_of_a_row_has_a_column() -> None:
    assert set(SessionRow.__struct_fields__) | {"revenue_currency"} == set(COLUMNS)


def test_money_and_times_are_for_people() -> None:
    found = cells(ROW, "Europe/Madrid")
    assert (found["revenue"], found["revenue_currency"]) == ("20.00; 5.50", "EUR; USD")
    assert found["started_at"] == "2026-11-21T13:00:00+01:00"
    assert found["abandoned"] == "false"


@pytest.mark.parametrize("evil", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1", "\n=1"])
def test_no_cell_is_a_formula(evil: str) -> None:
    found = cells(replace(ROW, campaign=evil, visitor_id=evil))
    assert found["campaign"] == found["visitor_id"] == f"'{evil}"


def test_quotes_and_commas_survive() -> None:
    assert cells(replace(ROW, campaign='a,"b"\nc'))["campaign"] == 'a,"b"\nc'
