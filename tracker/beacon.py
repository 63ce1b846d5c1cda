"""Decode and validate one batch: the body of POST /o becomes events that may be trusted, and complaints about the others.

A sound batch is decoded once. Only when something is wrong is it taken apart event by event, so that the good ones go in.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from baliza.errors import BadRequest, TooLarge
from schema.events import MAX_BODY_BYTES, MAX_EVENT_BYTES, MAX_EVENTS_PER_BATCH, Batch, Event, Identifier, Instant
from tracker.checks import TimeWindow, find_problem
from tracker.explain import complaint, explain

__all__ = ["Decoded", "Rejection", "decode"]

_batch = msgspec.json.Decoder(Batch)
_event = msgspec.json.Decoder(Event)
# Within this the difference between the clocks is the way through the network, beyond it the client's clock is wrong.
CLOCK_TOLERANCE_MS = 5_000


class Envelope(Struct, forbid_unknown_fields=True):
    """A batch whose events are not looked at yet."""

    events: list[Raw]
    key: str | UnsetType = UNSET
    visitor: Identifier | UnsetType = UNSET
    sent_at: Instant | UnsetType = UNSET


_envelope = msgspec.json.Decoder(Envelope)


@dataclass(frozen=True)
class Rejection:
    """Why the event at `index` of the batch was not taken."""

    index: int
    error: str
    raw: bytes = b""


@dataclass
class Decoded:
    """A batch of which `events` are good. `body` holds exactly these, as JSON; `indexes` their places in the request."""

    key: str
    visitor: str
    events: list[Event]
    times_ms: list[int]
    indexes: list[int]
    body: bytes
    rejected: list[Rejection] = field(default_factory=list)


def decode(body: bytes, window: TimeWindow) -> Decoded:
    """The good events of a body and what is wrong with the others.

    Raises TooLarge over 512 KB (or when a single event is over 32 KB), BadRequest when the body as a whole is not a batch.
    """
    if len(body) > MAX_BODY_BYTES:
        raise TooLarge(f"expected a body of at most {MAX_BODY_BYTES} bytes, got {len(body)}")
    if len(body) <= MAX_EVENT_BYTES and b"\\u0000" not in body:
        try:
            batch = _batch.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return _decode_apart(body, window)
        shift = _clock_shift_ms(batch.sent_at, window)
        times = [_to_ms(event) + shift for event in batch.events]
        if not any(find_problem(event, at, window) for event, at in zip(batch.events, times, strict=True)):
            return Decoded(batch.key or "", batch.visitor or "", batch.events, times, list(range(len(times))), body)
    return _decode_apart(body, window)


def _to_ms(event: Event) -> int:
    return round(event.occurred_at.timestamp() * 1000)


def _clock_shift_ms(sent_at: "Instant | UnsetType", window: TimeWindow) -> int:
    """received − sent: what to add to the client's times; 0 where it does not say when it sent, or its clock is right."""
    if sent_at is UNSET:
        return 0
    shift = window.received_ms - round(sent_at.timestamp() * 1000)
    return shift if abs(shift) > CLOCK_TOLERANCE_MS else 0


def _decode_apart(body: bytes, window: TimeWindow) -> Decoded:
    envelope = _open(body)
    shift = _clock_shift_ms(envelope.sent_at, window)
    found = Decoded(envelope.key or "", envelope.visitor or "", [], [], [], b"")
    good: list[bytes] = []
    for index, raw in enumerate(envelope.events):
        where = f"events[{index}]"
        event, error = _decode_event(bytes(raw), where)
        at = _to_ms(event) + shift if event else 0
        problem = find_problem(event, at, window) if event else None
        if event is None or problem:
            found.rejected.append(Rejection(index, problem.sentence(where) if problem else error, bytes(raw)))
            continue
        found.events.append(event)
        found.times_ms.append(at)
        found.indexes.append(index)
        good.append(bytes(raw))
    found.body = b'{"events":[' + b",".join(good) + b"]}"
    return found


def _open(body: bytes) -> Envelope:
    try:
        envelope = _envelope.decode(body)
    except msgspec.ValidationError as error:
        raise BadRequest(explain(error, _untyped(body))) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequest(f"expected a JSON object in UTF-8, got something else: {error}") from None
    except RecursionError:
        raise BadRequest("expected a JSON object, got one that is nested too deeply") from None
    if not 1 <= len(envelope.events) <= MAX_EVENTS_PER_BATCH:
        raise BadRequest(complaint(f"a list of 1 to {MAX_EVENTS_PER_BATCH} events", str(len(envelope.events)), "events"))
    return envelope


def _untyped(body: bytes) -> object:
    try:
        return msgspec.json.decode(body)
    except RecursionError:
        raise BadRequest("expected a JSON object, got one that is nested too deeply") from None


def _decode_event(raw: bytes, where: str) -> tuple[Event | None, str]:
    if len(raw) > MAX_EVENT_BYTES:
        return None, complaint(f"an event of at most {MAX_EVENT_BYTES} bytes", f"{len(raw)} bytes", where)
    try:
        if b"\\u0000" in raw:
            path = next(_nul_paths(msgspec.json.decode(raw), where), None)
            if path:
                return None, complaint("text without NUL characters", '"…\\u0000…"', path)
        return _event.decode(raw), ""
    except msgspec.ValidationError as error:
        return None, explain(error, msgspec.json.decode(raw), where)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return None, f"expected an event, got something that cannot be read: {error} at {where}"
    except RecursionError:
        return None, complaint("an event", "one that is nested too deeply", where)


def _nul_paths(value: object, where: str) -> Iterator[str]:
    if isinstance(value, str) and "\0" in value:
        yield where
    elif isinstance(value, dict):
        for key, entry in value.items():
            yield from _nul_paths(key, where)
            yield from _nul_paths(entry, f"{where}.{key}")
    elif isinstance(value, list):
        for place, entry in enumerate(value):
            yield from _nul_paths(entry, f"{where}[{place}]")
