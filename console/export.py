"""Sessions as CSV. Pure."""

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Final
from zoneinfo import ZoneInfo

from console.rows import SessionRow

__all__ = ["COLUMNS", "csv_lines"]

COLUMNS: Final = (
    "session_id", "visitor_id", "customer_id", "started_at", "ended_at", "duration_s", "events", "page_views", "item_views",
    "cart_adds", "checkouts", "purchases", "revenue", "revenue_currency", "cart_pieces", "cart_value", "cart_currency",
    "abandoned", "purpose", "landing_path", "referrer", "source", "medium", "campaign", "device", "browser", "os", "bot",
)  # fmt: skip
# A cell that begins with one of these is run as a formula by spreadsheets.
FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def csv_lines(rows: Iterable[SessionRow], zone: ZoneInfo) -> Iterator[str]:
    """The header, then a line a session; times in the zone with their offset, several currencies joined by "; "."""
    yield _line(COLUMNS)
    for row in rows:
        yield _line([_cell(row, column, zone) for column in COLUMNS])


def _cell(row: SessionRow, column: str, zone: ZoneInfo) -> str:
    if column == "revenue":
        return "; ".join(row.revenue.values())
    if column == "revenue_currency":
        return "; ".join(row.revenue)
    if column in ("started_at", "ended_at"):
        return str(getattr(row, column).astimezone(zone).isoformat(timespec="seconds"))
    if column == "abandoned":
        return "true" if row.abandoned else "false"
    value = getattr(row, column)
    return _harmless(value) if isinstance(value, str) else str(value)


def _harmless(text: str) -> str:
    return f"'{text}" if text.lstrip(" ").startswith(FORMULA_STARTS) or text.startswith(FORMULA_STARTS) else text


def _line(cells: Iterable[str]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow(cells)
    return out.getvalue()
