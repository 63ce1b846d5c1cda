"""Decisions and what visitors did, as they lie in the history."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from baliza.stores import History
from personalizer.feedback.carrier import INSERT, rows
from personalizer.feedback.record import DecisionRecord
from tests.personalizer.feedback.records import decision
from tests.support.rows import event_row, insert_events

# The tables forget what is old, so tests are of now.
NOW = datetime.now(UTC).replace(microsecond=0)
START = NOW - timedelta(days=20)


def decide(history: History, *records: DecisionRecord) -> None:
    history.client().execute(INSERT, [row for record in records for row in rows(record)])


def offered(decision_id: str, items: str, at: datetime = START, **given: Any) -> DecisionRecord:
    return decision(decision_id, items, decided_at_ms=round(at.timestamp() * 1000), **given)


def told(kind: str, decision_id: str, items: str, at: datetime = START, **given: Any) -> dict[str, Any]:
    """An event about offers, as the widget sends it."""
    lines = [(item, "", 10, 1) for item in items.split()]
    return event_row(type=kind, decision_id=decision_id, items=lines, occurred_at=at, **given)


def bought(order_id: str, items: Sequence[tuple[str, str, int]], at: datetime, **given: Any) -> dict[str, Any]:
    """A purchase; items as (item, price, quantity)."""
    revenue = sum((Decimal(price) * quantity for _, price, quantity in items), Decimal(0))
    lines = [(item, "", price, quantity) for item, price, quantity in items]
    return event_row(
        type="purchase",
        transaction_id=order_id,
        items=lines,
        occurred_at=at,
        value=revenue,
        **({"revenue": revenue} | given),
    )


def tell(history: History, *events: dict[str, Any]) -> None:
    insert_events(history, events)


def tell_each(history: History, events: Iterable[dict[str, Any]]) -> None:
    """Each in an insert of its own, as events that come one by one."""
    for event in events:
        insert_events(history, [event])
