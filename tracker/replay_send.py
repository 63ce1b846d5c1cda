"""Sending a batch to POST /o and understanding the answer. What an answer means is decided in read_answer, without I/O."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

import httpx
import msgspec

import baliza
from baliza.errors import BadRequest, StoreDown
from tracker.replay_formats import WIRE, instant
from tracker.replay_log import Observation

__all__ = ["Answer", "Counted", "GaveUp", "Refused", "Sender", "Split", "TryAgain", "batches", "read_answer"]

EVENTS_PER_BATCH: Final = 50
LONGEST_PAUSE_S: Final = 15.0


class GaveUp(StoreDown):
    """The collector did not take anything for as long as we were told to try."""


class Refused(BadRequest):
    """The collector takes nothing from us: a wrong key, origin or address. Going on would change nothing."""


@dataclass(frozen=True)
class Counted:
    """The batch is done with: how many events came to which end (accepted, duplicate, consent, bot), and what was bad."""

    numbers: Counter[str]
    rejected: Sequence[tuple[int, str]] = ()


@dataclass(frozen=True)
class TryAgain:
    """Nothing was taken now. `after_s`: when the collector wants to be asked again, if it said so."""

    why: str
    after_s: float | None = None


@dataclass(frozen=True)
class Split:
    """Nothing of the batch was usable (or it was too large): sent in halves, each event is judged for itself."""

    why: str


Answer: TypeAlias = Counted | TryAgain | Split


def read_answer(status: int, headers: Mapping[str, str], body: bytes, events: int) -> Answer:
    """What the collector's answer says about a batch of `events` events. Refused when no batch will ever be taken."""
    if status == 202:
        return Counted(_numbers(headers, events))
    if status == 200:
        return _partly(body, events)
    if status in (408, 425, 429) or status >= 500:
        return TryAgain(f"the collector answers {status}", _seconds(headers.get("retry-after", "")))
    if status in (400, 413):
        return Split(_detail(body))
    raise Refused(f"the collector answers {status} to POST /o: {_detail(body)}")


def _numbers(headers: Mapping[str, str], events: int) -> Counter[str]:
    """From `X-Baliza-Count: accepted=7, duplicate=3`, else all dropped for the one reason given, else all accepted."""
    dropped = headers.get("x-baliza-dropped", "")
    counts = headers.get("x-baliza-count", "")
    if not counts:
        return Counter({dropped.split(",")[0].strip() or "accepted": events})
    pairs = (part.partition("=") for part in counts.split(","))
    return Counter({name.strip(): int(number) for name, _, number in pairs if number.strip().isdigit()})


def _partly(body: bytes, events: int) -> Answer:
    try:
        said = msgspec.json.decode(body)
        rejected = [(int(entry["index"]), str(entry["error"])) for entry in said.pop("rejected")]
        numbers = Counter({str(name): count for name, count in said.items() if isinstance(count, int)})
    except (msgspec.DecodeError, KeyError, TypeError, ValueError, AttributeError):
        return TryAgain(f"expected {{accepted, rejected}} with status 200, got {body[:80]!r}")
    if any(not 0 <= index < events for index, _ in rejected):
        return TryAgain(f"the collector rejects events that were not sent: {body[:80]!r}")
    return Counted(numbers, rejected)


def _seconds(raw: str) -> float | None:
    return float(raw) if raw.isascii() and raw.isdigit() else None


def _detail(body: bytes) -> str:
    try:
        said = msgspec.json.decode(body)
        return str(said.get("detail") or said.get("title"))
    except (msgspec.DecodeError, AttributeError):
        return body[:200].decode(errors="replace") or "without a word"


def batches(window: Sequence[Observation], most: int = EVENTS_PER_BATCH) -> Iterator[Sequence[Observation]]:
    """The events of a window in requests of one visitor each, at most `most` long; a visitor's order is kept."""
    by_visitor: dict[str, list[Observation]] = {}
    for observation in window:
        by_visitor.setdefault(observation.visitor, []).append(observation)
    for events in by_visitor.values():
        for start in range(0, len(events), most):
            yield events[start : start + most]


def body_of(batch: Sequence[Observation], shift: timedelta, key: str | None) -> bytes:
    """The body of POST /o. Without sent_at: the times are a log's, and no clock is to be corrected by them."""
    events = [{**each.event, "occurred_at": instant(each.at) + shift} for each in batch]
    body: dict[str, Any] = {"visitor": batch[0].visitor, "events": events}
    if key:
        body["key"] = key
    return WIRE.encode(body)


@dataclass
class Sender:
    """One keep-alive connection to the collector, for one thread.

    `secret` goes as bearer and wins over `key`. `stop` ends waiting early. `on_wait` hears why and how long we wait (s).
    """

    url: str
    key: str | None
    secret: str | None
    shift: timedelta
    stop: threading.Event
    give_up_after_s: float = 300.0
    on_wait: Callable[[str, float], None] = lambda _why, _seconds: None
    monotonic: Callable[[], float] = time.monotonic
    client: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        headers = {"Content-Type": "text/plain", "User-Agent": f"baliza-replay/{baliza.__version__}"}
        if self.secret:
            headers["Authorization"] = f"Bearer {self.secret}"
        own_box = urlsplit(self.url).hostname in ("127.0.0.1", "::1", "localhost")
        self.client = httpx.Client(headers=headers, timeout=30.0, trust_env=not own_box)

    def send(self, batch: Sequence[Observation]) -> Counted | None:
        """Send until it is done with; None when stopped before. Blocks. GaveUp and Refused end a run."""
        answer = self._until_answered(body_of(batch, self.shift, None if self.secret else self.key), len(batch))
        if not isinstance(answer, Split):
            return answer
        if len(batch) == 1:
            return Counted(Counter(), [(0, answer.why)])
        middle = len(batch) // 2
        first, second = self.send(batch[:middle]), self.send(batch[middle:])
        if first is None or second is None:
            return None
        return Counted(
            first.numbers + second.numbers, [*first.rejected, *((middle + index, why) for index, why in second.rejected)]
        )

    def _until_answered(self, body: bytes, events: int) -> Counted | Split | None:
        began, tries = self.monotonic(), 0
        while not self.stop.is_set():
            answer = self._ask(body, events)
            if not isinstance(answer, TryAgain):
                return answer
            tries += 1
            pause_s = min(0.25 * 2**tries, LONGEST_PAUSE_S) if answer.after_s is None else answer.after_s
            if self.monotonic() + pause_s - began > self.give_up_after_s:
                raise GaveUp(f"gave up after {tries} tries in {self.monotonic() - began:.0f} s: {answer.why}")
            self.on_wait(answer.why, pause_s)
            self.stop.wait(pause_s)
        return None

    def _ask(self, body: bytes, events: int) -> Answer:
        try:
            got = self.client.post(f"{self.url.rstrip('/')}/o", content=body)
        except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            raise Refused(f"--url: expected http://host:port, got {self.url!r}: {error}") from None
        except httpx.TransportError as error:
            return TryAgain(f"{self.url}: {error or type(error).__name__}")
        return read_answer(got.status_code, got.headers, got.content, events)
