"""A validated batch as commands of the live store."""

import struct
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from baliza.settings import Settings
from schema import keys
from schema.events import Event
from schema.profile import VIEWED_ROW
from tests.support.collecting import START, event
from tracker.beacon import decode
from tracker.checks import TimeWindow
from tracker.observe import (
    Context,
    claim_command,
    observe_command,
    observed_events,
    order_value_micros,
    receipt_command,
    remembered_ms,
    session_rules,
    settle_command,
)

NOW_MS = int(START.timestamp() * 1000)
CONTEXT = Context("demo", "v-1", NOW_MS, "browser", True, "192.0.2.0/24", "curl/8")


def an_event(*args: Any, **fields: Any) -> Event:
    return msgspec.convert(event(*args, **fields), Event)


def test_all_keys_of_an_observation_lie_in_one_partition() -> None:
    body = msgspec.json.encode({"events": [event(), event("view_item", item="A")]})
    decoded = decode(body, TimeWindow(NOW_MS, None, 0))
    command = observe_command(decoded, [0, 1], CONTEXT, session_rules(Settings()), 64)
    assert command[:3] == ("FCALL", "observe_v2", 2)
    tag = f"{{p{keys.partition_of('v-1', 64)}}}"
    assert all(str(key).startswith(tag) for key in command[3:5])
    assert command[5] == session_rules(Settings())
    assert command[7] == body


def test_only_the_places_asked_for_are_observed() -> None:
    decoded = decode(msgspec.json.encode({"events": [event(), event(), event("search")]}), TimeWindow(NOW_MS, None, 0))
    sent = observed_events(decoded, [0, 2], CONTEXT, 7)
    assert struct.unpack_from("<dH", sent) == (7.0, 2)
    place, hashed, kind, at_ms, landing = struct.unpack_from("<H11sBdH", sent, 10)
    assert (place, hashed) == (0, keys.event_hash("demo", "v-1", decoded.events[0].event_id))
    assert (kind, at_ms) == (1, decoded.times_ms[0])
    assert struct.unpack_from("<HHI", sent, 34 + landing) == (0, 0, 0)
    place, _, kind, *_ = struct.unpack_from("<H11sBd", sent, 34 + landing + 8)
    assert (place, kind) == (2, 0)


def test_the_rows_of_a_view_are_those_of_the_profile() -> None:
    body = msgspec.json.encode({"events": [event("view_item", items=[("ä", "Licht", "39.90"), ("B",)], currency="EUR")]})
    decoded = decode(body, TimeWindow(NOW_MS, None, 0))
    sent = observed_events(decoded, [0], CONTEXT, 7)
    first, second = (
        VIEWED_ROW.format(item, category, "", "EUR", price, decoded.times_ms[0]).encode()
        for item, category, price in (("ä", "Licht", 39_900_000), ("B", "", -1))
    )
    packed = struct.pack("<HHI", 7, 5, len(first)) + first + struct.pack("<HHI", 6, 0, len(second)) + second
    assert sent.endswith(struct.pack("<I", len(packed)) + packed)


def test_how_sessions_are_cut_and_for_how_long_what_is_kept() -> None:
    assert struct.unpack("<4d", session_rules(Settings())) == (1_800_000, 86_400_000, keys.VISITOR_TTL_MS, 259_200_000)


def test_ids_are_remembered_for_as_long_as_late_events_are_taken_and_a_day_at_least() -> None:
    assert remembered_ms(Settings()) == 259_200_000
    assert remembered_ms(Settings(late_max_s=60)) == keys.DEDUPE_MIN_MS


def test_an_order_is_claimed_and_settled_under_its_own_partition() -> None:
    purchase = an_event("purchase", item="A", transaction_id="T-1", event_id="e")
    key = keys.orders(keys.partition_of("T-1", 64), "demo")
    claimant = keys.event_hash("demo", "v-1", "e")
    hearsay = msgspec.structs.replace(CONTEXT, trusted=False)
    assert claim_command(purchase, CONTEXT, 64) == ("FCALL", "claim_order_v2", 1, key, "T-1", claimant, NOW_MS, 1)
    assert claim_command(purchase, hearsay, 64)[-1] == 0
    assert settle_command(purchase, CONTEXT, 64) == ("FCALL", "settle_order_v1", 1, key, "T-1", "+")
    assert settle_command(purchase, hearsay, 64)[-1] == "-"


def test_a_receipt_has_the_numbers_and_nobody() -> None:
    said = msgspec.structs.replace(CONTEXT, network="192.0.2.0/24", user_agent="Firefox", rejected=2, offered=0)
    command = receipt_command(said, 7)
    assert command[:4] == ("XADD", keys.events(7), "*", "c")
    kept = msgspec.msgpack.decode(command[4])
    assert kept == {
        "s": "demo",
        "v": "",
        "r": NOW_MS // 3_600_000 * 3_600_000,
        "d": said.sender,
        "t": said.trusted,
        "f": 0,
        "j": 2,
    }
    assert command[5:] == ("o", msgspec.msgpack.encode([]))


@pytest.mark.parametrize(
    ("fields", "micros"),
    [
        ({"value": "39.9", "items": [("A", "", 1)]}, 39_900_000),
        ({"value": 0, "items": [("A", "", 1)]}, 0),
        ({"items": [("A", "", "0.1", 3), ("B", "", "19.99", 2), ("C",)]}, 40_280_000),
        ({"items": ["A"]}, 0),
        ({"value": Decimal("0.0000005"), "items": ["A"]}, 0),
        ({"value": Decimal("0.0000015"), "items": ["A"]}, 2),
    ],
)
def test_an_order_is_worth_its_value_or_its_items(fields: dict[str, Any], micros: int) -> None:
    assert order_value_micros(an_event("purchase", **fields)) == micros
