"""Decode and validate one batch: the body of POST /o becomes events that may be trusted, and complaints about the others.

A sound batch is decoded once. Only when something is wrong is it taken apart event by event, so that the good ones go in.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from baliza.errors import BadRequest, TooLarge
from schema.events import MAX_BODY_BYTES, MAX_EVENT_BYTES, MAX_EVENTS_PER_BATCH, Batch, Event, Identifier, Instant, UserAgent
from tracker.checks import TimeWindow, find_problem
from tracker.explain import complaint, document_of, explain, unreadable

__all__ = ["Decoded", "Rejection", "clock_shift_ms", "decode", "whole"]

B = TypeVar("B", bound=Batch)

_batch = msgspec.json.Decoder(Batch)
_event = msgspec.json.Decoder(Event)
_NUL = b"\\u0000"
# Escaped backslashes and whole pairs are matched first, so that what is left is half a pair.
_ESCAPED = re.compile(rb"\\\\|\\u[dD][89abAB]..\\u[dD][c-fC-F]..|(?P<half>\\u[dD][89a-fA-F]..)")
# Within this the difference between the clocks is the way through the network, beyond it the client's clock is wrong.
CLOCK_TOLERANCE_MS = 5_000


class Envelope(Struct, forbid_unknown_fields=True):
    """A batch whose events are not looked at yet."""

    events: list[Raw]
    key: str | UnsetType = UNSET
    visitor: Identifier | UnsetType = UNSET
    sent_at: Instant | UnsetType = UNSET
    user_agent: UserAgent | UnsetType = UNSET


_envelope = msgspec.json.Decoder(Envelope)


@dataclass(frozen=True)
class Rejection:
    """Why the event at `index` of the batch was not taken."""

    index: int
    error: str
    raw: bytes = b""

    @property
    def too_large(self) -> bool:
        return len(self.raw) > MAX_EVENT_BYTES


class Decoded(Struct):
    """A batch of which `events` are good. `body` holds exactly these, as JSON; `times_ms` are by the corrected clock.

    `shift_ms`: what that clock was corrected by; said of batches with rejected events only.
    """

    key: str
    visitor: str
    events: list[Event]
    times_ms: list[int]
    body: bytes
    rejected: list[Rejection] = []
    user_agent: str = ""
    shift_ms: int = 0

    def only(self, places: Sequence[int]) -> "Decoded":
        """The batch without the other events: they are in its body no longer."""
        if len(places) == len(self.events):
            return self
        events = [self.events[place] for place in places]
        times = [self.times_ms[place] for place in places]
        body = msgspec.json.encode({"events": events})
        return msgspec.structs.replace(self, events=events, times_ms=times, body=body, rejected=[])


def decode(body: bytes, window: TimeWindow) -> Decoded:
    """The good events of a body and what is wrong with the others. Half a surrogate pair becomes U+FFFD.

    Raises TooLarge over 512 KB (or when a single event is over 32 KB), BadRequest when the body as a whole is not a batch.
    """
    if len(body) > MAX_BODY_BYTES:
        raise TooLarge(f"expected a body of at most {MAX_BODY_BYTES} bytes, got {len(body)}")
    return _decode_sound(body, window) or _decode_apart(body, window)


def whole(body: bytes, decoder: msgspec.json.Decoder[B]) -> B | None:
    """The batch in one go; None when it has to be taken apart."""
    # Nearly no body has a backslash, and to look for one byte takes no time.
    if len(body) > MAX_EVENT_BYTES or (b"\\" in body and _NUL in body):
        return None
    try:
        return decoder.decode(body)
    except (ValueError, RecursionError):
        return None


def _decode_sound(body: bytes, window: TimeWindow) -> Decoded | None:
    """A batch with which nothing is wrong; None for any other."""
    batch = whole(body, _batch)
    if batch is None:
        return None
    shift = clock_shift_ms(batch.sent_at, window)
    times = []
    for event in batch.events:
        at = round(event.occurred_at.timestamp() * 1000) + shift
        if find_problem(event, at, window):
            return None
        times.append(at)
    return Decoded(batch.key or "", batch.visitor or "", batch.events, times, body, user_agent=batch.user_agent or "")


def _to_ms(event: Event) -> int:
    return round(event.occurred_at.timestamp() * 1000)


def clock_shift_ms(sent_at: Instant | UnsetType, window: TimeWindow) -> int:
    """received − sent: what to add to the client's times; 0 where it does not say when it sent, or its clock is right."""
    if sent_at is UNSET:
        return 0
    shift = window.received_ms - round(sent_at.timestamp() * 1000)
    return shift if abs(shift) > CLOCK_TOLERANCE_MS else 0


def _decode_apart(body: bytes, window: TimeWindow) -> Decoded:
    envelope = _open(_whole_characters(body))
    shift = clock_shift_ms(envelope.sent_at, window)
    agent = envelope.user_agent or ""
    found = Decoded(envelope.key or "", envelope.visitor or "", [], [], b"", user_agent=agent, shift_ms=shift)
    good: list[bytes] = []
    for index, entry in enumerate(envelope.events):
        raw, where = bytes(entry), f"events[{index}]"
        event, error = _decode_event(raw, where)
        at = _to_ms(event) + shift if event else 0
        problem = find_problem(event, at, window) if event else None
        if event is None or problem:
            found.rejected.append(Rejection(index, problem.sentence(where) if problem else error, raw))
            continue
        found.events.append(event)
        found.times_ms.append(at)
        good.append(raw)
    found.body = b'{"events":[' + b",".join(good) + b"]}"
    return found


def _whole_characters(body: bytes) -> bytes:
    """Scripts that cut a text in the middle of an emoji send half of it, which the decoder would refuse the batch for."""

    def mended(match: re.Match[bytes]) -> bytes:
        return b"\\ufffd" if match["half"] else match[0]

    return _ESCAPED.sub(mended, body)


def _open(body: bytes) -> Envelope:
    try:
        envelope = _envelope.decode(body)
    except msgspec.ValidationError as error:
        raise BadRequest(explain(error, body)) from None
    except (ValueError, RecursionError) as error:
        raise BadRequest(complaint("a JSON object in UTF-8", unreadable(body, error), "")) from None
    if not 1 <= len(envelope.events) <= MAX_EVENTS_PER_BATCH:
        count = f"{len(envelope.events) or 'no'} events"
        raise BadRequest(complaint(f"a list of 1 to {MAX_EVENTS_PER_BATCH} events", count, "events"))
    for name, text in (("key", envelope.key), ("visitor", envelope.visitor)):
        if text and "\0" in text:
            raise BadRequest(_nul_complaint(name))
    return envelope


def _decode_event(raw: bytes, where: str) -> tuple[Event | None, str]:
    if len(raw) > MAX_EVENT_BYTES:
        return None, complaint(f"an event of at most {MAX_EVENT_BYTES} bytes", f"{len(raw)} bytes", where)
    try:
        event = _event.decode(raw)
    except msgspec.ValidationError as error:
        return None, explain(error, raw, where)
    except (ValueError, RecursionError) as error:
        return None, complaint("an event as JSON in UTF-8", unreadable(raw, error), where)
    path = next(_nul_paths(document_of(raw), where), None) if _NUL in raw else None
    return (None, _nul_complaint(path)) if path else (event, "")


def _nul_complaint(where: str) -> str:
    return complaint("text without NUL characters", '"…\\u0000…"', where)


def _nul_paths(value: object, where: str) -> Iterator[str]:
    if isinstance(value, str) and "\0" in value:
        yield where
    elif isinstance(value, dict):
        for key, entry in value.items():
            yield from _nul_paths(key, where)
            yield from _nul_paths(entry, f"{where}.{key[:50]}")
    elif isinstance(value, list):
        for place, entry in enumerate(value):
            yield from _nul_paths(entry, f"{where}[{place}]")
