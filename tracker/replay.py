"""Replay: a log of real shoppers sent through the public door, POST /o, as if they came again.

The way: survey (what is in the log) → rows in time order → events with ids → windows that are due → batches of one
visitor → lanes (threads with a connection each; a visitor is always in the same lane) → the ledger (counts, state).
"""

import queue
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Final
from zlib import crc32

from msgspec.structs import replace

from baliza.errors import BadRequest
from tracker.replay_formats import EPOCH
from tracker.replay_log import SHOWN_REASONS, Log, Observation, Survey, in_time_order, observations, survey
from tracker.replay_send import Counted, Sender, batches
from tracker.replay_state import Done, State, fingerprint, load_state, save_state

__all__ = ["Ledger", "Options", "Plan", "Rejection", "plan", "replay", "windows"]

WINDOW_EVENTS: Final = 2_000
SAVE_EVERY_S: Final = 1.0
EVENT_PLACE: Final = re.compile(r"\bevents\[\d+]")


@dataclass(frozen=True)
class Options:
    """What the user asked for. `speed`: times real speed; None: as fast as possible."""

    log: Log
    url: str
    key: str | None
    secret: str | None
    state_file: Path
    threads: int = 4
    speed: float | None = None
    shift_to_now: bool = False
    restart: bool = False
    give_up_after_s: float = 300.0
    late_max_s: int = 259_200

    @property
    def rejected_file(self) -> Path:
        return self.state_file.with_suffix(".rejected.txt")


@dataclass(frozen=True)
class Rejection:
    """A line that is not recorded, and why."""

    line: int
    reason: str

    def append_to(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a", encoding="utf-8") as out:
            out.write(f"line {self.line}: {self.reason}\n")


@dataclass(frozen=True)
class Plan:
    """What will be done: the log as surveyed, and the state from which to go on."""

    survey: Survey
    state: State


def plan(options: Options, now: datetime) -> Plan:
    """Survey the log and find out where to begin. BadRequest when the events are too old for the key that was given."""
    now_us = (now - EPOCH) // timedelta(microseconds=1)
    fresh = State(
        file=str(options.log.file.resolve()),
        format=options.log.format,
        url=options.url,
        fingerprint=fingerprint(options.log.file),
        shift_us=now_us if options.shift_to_now else None,
    )
    kept = None if options.restart else load_state(options.state_file)
    if kept is not None and kept.continues(fresh):
        found = survey(options.log.outcomes(), options.log.format)
        return _checked(Plan(found, kept), options, now_us)
    options.rejected_file.unlink(missing_ok=True)
    found = survey(
        options.log.outcomes(),
        options.log.format,
        lambda bad: Rejection(bad.line, bad.reason).append_to(options.rejected_file),
    )
    if options.shift_to_now:
        fresh = replace(fresh, shift_us=now_us - found.last_at)
    return _checked(Plan(found, fresh), options, now_us)


def _checked(todo: Plan, options: Options, now_us: int) -> Plan:
    age_s = (now_us - todo.survey.first_at - (todo.state.shift_us or 0)) / 1_000_000
    if todo.survey.rows and age_s > options.late_max_s and not options.secret:
        raise BadRequest(
            f"the first event is {age_s / 3600:.0f} h old; with the publishable key the collector takes events of the last "
            f"{options.late_max_s / 3600:.0f} h: give the site's secret key (--secret-key, or BALIZA_SECRET_KEY)"
        )
    return todo


class Ledger:
    """What became of the events of this run, and the state to go on from. Lanes write to it from several threads.

    `on_change` is called after every batch and before every wait, in the lane's thread.
    """

    def __init__(
        self,
        options: Options,
        todo: Plan,
        monotonic: Callable[[], float] = time.monotonic,
        on_change: Callable[["Ledger"], None] = lambda _ledger: None,
    ) -> None:
        self.state = todo.state
        self.sent = 0
        self.numbers: Counter[str] = Counter(rejected=todo.survey.bad)
        self.rejections = [Rejection(bad.line, bad.reason) for bad in todo.survey.reasons]
        self.waiting = ""
        self._options, self._monotonic, self._on_change = options, monotonic, on_change
        self._lock = threading.Lock()
        self._done = Done(todo.state.events_done)
        self._saved_at = monotonic()

    def enter(self, batch: Sequence[Observation], outcome: Counted) -> None:
        """A batch is done with."""
        with self._lock:
            self.waiting = ""
            self.sent += len(batch)
            self.numbers.update(outcome.numbers)
            for index, reason in outcome.rejected:
                # Where the event stood in our batch says nothing to the reader of a log; the line does.
                self._reject(Rejection(batch[index].line, EVENT_PLACE.sub("event", reason)))
            self._done.add(each.index for each in batch)
            if self._monotonic() - self._saved_at >= SAVE_EVERY_S:
                self._save()
        self._on_change(self)

    def note_waiting(self, why: str, seconds: float) -> None:
        """A lane waits before it tries again."""
        self.waiting = f"trying again in {seconds:.0f} s: {why}"
        self._on_change(self)

    def close(self, *, finished: bool) -> None:
        """Keep how far it came; a finished run begins anew when it is started again."""
        with self._lock:
            self.state = replace(self.state, finished=finished)
            self._save()

    def _reject(self, rejection: Rejection) -> None:
        self.numbers["rejected"] += 1
        if len(self.rejections) < SHOWN_REASONS:
            self.rejections.append(rejection)
        rejection.append_to(self._options.rejected_file)

    def _save(self) -> None:
        self.state = replace(self.state, events_done=self._done.upto)
        save_state(self._options.state_file, self.state)
        self._saved_at = self._monotonic()


def windows(
    events: Iterable[Observation],
    due_in: Callable[[Observation], float],
    wait: Callable[[float], object],
    most: int = WINDOW_EVENTS,
) -> Iterator[Sequence[Observation]]:
    """The events that may be sent by now, in their order. `due_in`: seconds until an event is due."""
    window: list[Observation] = []
    for event in events:
        if window and (len(window) >= most or due_in(event) > 0):
            yield window
            window = []
        if (delay_s := due_in(event)) > 0:
            wait(delay_s)
        window.append(event)
    if window:
        yield window


def _pace(speed: float | None, monotonic: Callable[[], float]) -> Callable[[Observation], float]:
    """In how many seconds an event is due, the first event being due now."""
    began: list[tuple[float, int]] = []

    def due_in(event: Observation) -> float:
        if speed is None:
            return 0.0
        if not began:
            began.append((monotonic(), event.at))
        start_s, first_at = began[0]
        return start_s + (event.at - first_at) / 1_000_000 / speed - monotonic()

    return due_in


def replay(options: Options, todo: Plan, ledger: Ledger, monotonic: Callable[[], float] = time.monotonic) -> None:
    """Send what is left of the log. Blocks until done; GaveUp and Refused (and Ctrl-C) leave a state to go on from."""
    rows = options.log.rows()
    ordered = observations(rows if todo.survey.in_order else in_time_order(rows), options.log.format)
    left = islice(ordered, todo.state.events_done, None)
    finished = False
    try:
        with Lanes(options, todo.state, ledger) as lanes:
            for window in windows(left, _pace(options.speed, monotonic), lanes.stop.wait):
                for batch in batches(window):
                    lanes.put(batch)
                if lanes.stop.is_set():
                    break
        finished = True
    finally:
        ledger.close(finished=finished)


class Lanes:
    """Threads that send; each visitor has one of them, so that what one visitor did arrives in its order.

    Leaving the context waits until all is sent; when one lane fails, all stop and leaving raises what it raised.
    """

    def __init__(self, options: Options, state: State, ledger: Ledger) -> None:
        self.stop = threading.Event()
        self._ledger = ledger
        self._queues: list[queue.Queue[Sequence[Observation] | None]] = [queue.Queue(64) for _ in range(options.threads)]
        shift = timedelta(microseconds=state.shift_us or 0)
        sender = (options.url, options.key, options.secret, shift, self.stop, options.give_up_after_s, ledger.note_waiting)
        self._senders = [Sender(*sender) for _ in self._queues]
        self._pool = ThreadPoolExecutor(options.threads, "replay")

    def __enter__(self) -> "Lanes":
        pairs = zip(self._queues, self._senders, strict=True)
        self._running = [self._pool.submit(self._run, waiting, sender) for waiting, sender in pairs]
        return self

    def __exit__(self, kind: type[BaseException] | None, *_rest: object) -> None:
        with ExitStack() as last:
            for sender in self._senders:
                last.callback(sender.client.close)
            last.callback(self._pool.shutdown)
            if kind is not None:
                self.stop.set()
            try:
                for waiting in self._queues:
                    self._put(waiting, None)
                for lane in self._running:
                    lane.result()
            except BaseException:  # Ctrl-C while the last batches wait: they are not to be tried until they get through
                self.stop.set()
                raise

    def put(self, batch: Sequence[Observation]) -> None:
        """Hand a batch to its visitor's lane; waits while the lane is full."""
        self._put(self._queues[crc32(batch[0].visitor.encode()) % len(self._queues)], batch)

    def _put(self, waiting: "queue.Queue[Sequence[Observation] | None]", batch: Sequence[Observation] | None) -> None:
        while not self.stop.is_set():
            with suppress(queue.Full):
                waiting.put(batch, timeout=0.2)
                return

    def _run(self, waiting: "queue.Queue[Sequence[Observation] | None]", sender: Sender) -> None:
        try:
            while (batch := self._next(waiting)) is not None:
                if outcome := sender.send(batch):
                    self._ledger.enter(batch, outcome)
        except BaseException:
            self.stop.set()
            raise

    def _next(self, waiting: "queue.Queue[Sequence[Observation] | None]") -> Sequence[Observation] | None:
        while not self.stop.is_set():
            with suppress(queue.Empty):
                return waiting.get(timeout=0.2)
        return None
