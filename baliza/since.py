"""`--since` of commands: a time, or how long ago."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import click

__all__ = ["Since", "since_of"]

AGO: Final = {"m": "minutes", "h": "hours", "d": "days"}


class Since(click.ParamType[datetime]):
    """A time, or how long ago."""

    name = "TIME|AGO"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        found = since_of(value, datetime.now(UTC))
        if found is None:
            self.fail(f"expected a time in UTC (2026-11-21T10:00) or how long ago (90m, 12h, 7d), got {value!r}", param, ctx)
        return found


def since_of(said: str, now: datetime) -> datetime | None:
    """The time that `2026-11-21T10:00`, `2026-11-21` or `12h` means; UTC where it does not say. None when it is neither."""
    if ago := re.fullmatch(r"(\d{1,5})([mhd])", said):
        return now - timedelta(**{AGO[ago[2]]: int(ago[1])})
    try:
        found = datetime.fromisoformat(said)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
