"""Observations as the collector tells the live store of them."""

from datetime import UTC, datetime

import msgspec

from baliza.settings import Settings
from schema import keys
from schema.events import Event
from tests.support.collecting import event
from tracker.beacon import Decoded
from tracker.observe import Command, Context, observe_command, session_rules

PARTITIONS = 8


def observation(visitor: str, *event_ids: str) -> Command:
    now = datetime.now(UTC)
    events = [msgspec.convert(event(event_id=event_id, at=now), Event) for event_id in event_ids]
    now_ms = int(now.timestamp() * 1000)
    decoded = Decoded("", visitor, events, [now_ms] * len(events), msgspec.json.encode({"events": events}))
    context = Context("demo", visitor, now_ms, "browser", trusted=True, offered=len(events))
    return observe_command(decoded, range(len(events)), context, session_rules(Settings()), PARTITIONS)


def profile_key(visitor: str) -> str:
    return keys.visitor(keys.partition_of(visitor, PARTITIONS), "demo", visitor)
