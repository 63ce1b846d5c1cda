"""What the server accepted, by visitor, and whether it is found again: in the live store, and in the history's reports.

A request whose answer never came may have been recorded or not: its events are allowed, not expected.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

import httpx

__all__ = ["Differences", "Ledger", "compare", "events_in_history", "events_live", "until_found"]

PAGE: Final = 1_000
LOOK_EVERY_S: Final = 0.5


@dataclass
class Ledger:
    """Events by visitor: answered with 202, and sent without an answer."""

    accepted: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)

    def sent(self, visitor: str, events: int) -> None:
        """A request leaves; who sends it may be stopped before its answer comes."""
        self.unknown[visitor] += events

    def answered(self, visitor: str, events: int, status: int) -> None:
        """What became of it. Status 0: nobody answered. A 5xx of something in between says as little."""
        if 0 < status < 500:
            self.unknown[visitor] -= events
        if status == 202:
            self.accepted[visitor] += events


@dataclass(frozen=True)
class Differences:
    """Accepted events that are not found, and events that were found more often than sent; with one visitor as example."""

    missing: int
    too_many: int
    compared: int
    example: str = ""

    @property
    def found_all(self) -> bool:
        return not self.missing

    def sentences(self, where: str) -> list[str]:
        """What is wrong, for people; empty when all is well."""
        found = []
        if self.missing:
            found.append(f"{self.missing} accepted events are missing in {where}; for example of visitor {self.example}")
        if self.too_many:
            found.append(f"{self.too_many} events are more often in {where} than they were sent")
        return found


def compare(ledger: Ledger, found: Mapping[str, int]) -> Differences:
    """Hold what was found against the ledger, for the visitors in `found` that the ledger knows."""
    visitors = [visitor for visitor in found if visitor in ledger.accepted]
    missing = {visitor: ledger.accepted[visitor] - found[visitor] for visitor in visitors}
    example = next((visitor for visitor, count in missing.items() if count > 0), "")
    return Differences(
        sum(count for count in missing.values() if count > 0),
        sum(max(0, -count - ledger.unknown[visitor]) for visitor, count in missing.items()),
        len(visitors),
        example,
    )


def events_live(client: httpx.Client, secret: str, visitors: Iterator[str]) -> dict[str, int]:
    """Events of the visitors' sessions in the live store, asked with the secret key. Raises httpx.HTTPError.

    Who had more than one session is left out: the live store counts the events of one.
    """
    headers = {"Authorization": f"Bearer {secret}"}
    found: dict[str, int] = {}
    for visitor in visitors:
        known = _known(client.get(f"/v1/visitors/{quote(visitor, '')}", headers=headers))
        if known is None or known["sessions"] == 1:
            session = _known(client.get("/v1/sessions/current", params={"visitor": visitor}, headers=headers))
            found[visitor] = session["events"] if session else 0
    return found


def _known(answer: httpx.Response) -> dict[str, Any] | None:
    """None when the live store knows nobody of that name."""
    if answer.status_code == 404:
        return None
    body: dict[str, Any] = answer.raise_for_status().json()
    return body


def events_in_history(client: httpx.Client, token: str, since: str) -> dict[str, int]:
    """Events by visitor in the report of all sessions since an instant, bots included. Raises httpx.HTTPError."""
    headers, found, cursor = {"Authorization": f"Bearer {token}"}, Counter[str](), ""
    while True:
        asked: dict[str, Any] = {"since": since, "bots": "true", "limit": PAGE, "cursor": cursor}
        page = client.get("/v1/reports/sessions", params=asked, headers=headers).raise_for_status().json()
        for session in page["sessions"]:
            found[session["visitor_id"]] += session["events"]
        cursor = page["next"]
        if not cursor:
            return found


def until_found(
    look: Callable[[], Differences], patience_s: float, sleep: Callable[[float], None] = time.sleep
) -> Differences:
    """Look again and again until nothing is missing, or the patience has ended: the history is a second or two behind."""
    seen = look()
    for _ in range(int(patience_s / LOOK_EVERY_S)):
        if seen.found_all:
            break
        sleep(LOOK_EVERY_S)
        seen = look()
    return seen
