"""The quick way beside the collector's own: the same commands, the same answers, the same counts, the same limits."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from baliza.errors import BalizaError, StoreDown
from baliza.settings import Settings
from baliza.sites import Site, SiteRegistry, digest
from tests.support.collecting import START, event
from tests.support.generated import SENDINGS, Sending
from tracker.collect import Collector, Commands, Tally
from tracker.heads import Head, Heads
from tracker.quick import Observation, Quick
from tracker.request import Request

LIMITED = Settings(visitor_events_per_minute=60, visitor_burst=40, network_events_per_minute=120, network_burst=90)
SITES = [
    SiteRegistry.of([Site("demo", "pk_demo", digest("sk_demo"), ("http://shop.test",), **more)])
    for more in ({}, {"require_consent": True}, {"trust_browser": False, "count_automation": True})
]
NOW_MS = int(START.timestamp() * 1000) + 60_000
Told = bytes | StoreDown


@dataclass
class Side:
    """A collector of its own, with its own memory of limits and visitors."""

    registry: SiteRegistry
    now_ms: int = NOW_MS
    tallies: list[tuple[str, Tally]] = field(default_factory=list)
    detours: int = 0

    def __post_init__(self) -> None:
        names = count()
        self.collector = Collector(
            LIMITED,
            lambda: self.now_ms,
            lambda: f"new-{next(names)}",
            lambda *told: self.tallies.append(told),
            self.registry,
        )
        self.quick = Quick(self.collector)

    def slowly(self, request: Request, told: list[Told]) -> tuple[list[Commands], bytes]:
        """All commands, and the answer as bytes. `told`: the store's words, the last for observations."""
        steps, asked = self.collector.steps(request), []
        try:
            commands = next(steps)
            while True:
                asked.append(commands)
                if isinstance(told[0], StoreDown):
                    commands = steps.throw(told[0])
                else:
                    commands = steps.send([[told[0]] if command[1] == "observe_v2" else 1 for command in commands])
        except StopIteration as stop:
            return asked, stop.value.head() + stop.value.body

    def quickly(self, request: Request, told: list[Told]) -> tuple[list[Commands], bytes]:
        """The same by the quick way, as the worker goes it; and on by the other where that is needed."""
        try:
            observation = self.quick.observation(request)
        except BalizaError as error:
            answer = self.collector.refused(request, error)
            return [], answer.head() + answer.body
        if observation is None:
            self.detours += 1
            return self.slowly(request, told)
        return [[observation.command]], self.end(observation, told[0])

    def end(self, observation: Observation, told: Told) -> bytes:
        if isinstance(told, StoreDown):
            answer = self.collector.refused(observation.request, told)
        elif told == observation.all_taken:
            self.tallies.append((observation.site, Tally(observation.events, observation.events)))
            return observation.accepted
        else:
            answer = self.quick.answer(observation, told)
        return answer.head() + answer.body


def a_request(sending: Sending, number: int, head: Head | None) -> Request:
    headers = head.headers if head else sending.headers(number)
    return Request("POST", "/o", headers, sending.bytes(number), "203.0.113.9", head)


def marks_of(request: Request, dice: random.Random) -> list[Told]:
    """Anything that the store may say about as many events as the request has."""
    try:
        events = len(msgspec.json.decode(request.body)["events"])
    except (ValueError, TypeError, KeyError, RecursionError):
        events = 1
    taken = b"1" * events
    mixed = bytes(dice.choice(b"01") for _ in range(events))
    return [dice.choice((taken, taken, mixed, StoreDown("the live store does not answer")))]


ORDINARY = SENDINGS.filter(lambda sending: sending.target == "/o" and sending.sender != "server")


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(ORDINARY, min_size=1, max_size=6), st.sampled_from(SITES), st.randoms())
def test_nothing_tells_the_quick_way_from_the_other(
    sendings: Sequence[Sending], registry: SiteRegistry, dice: random.Random
) -> None:
    ours, theirs = Side(registry), Side(registry)
    heads: dict[str, Head | None] = {}
    for number, sending in enumerate([*sendings, *sendings]):
        now_ms = NOW_MS + number * dice.choice((0, 10, 1_000))
        ours.now_ms = theirs.now_ms = now_ms
        if sending.sender not in heads:
            heads[sending.sender] = Heads().learn(b"", "POST", "/o", sending.headers(0), "")
        head = heads[sending.sender]
        plain = a_request(sending, 0, None)
        told = marks_of(plain, dice)
        assert ours.quickly(a_request(sending, 0, head), told) == theirs.slowly(plain, told)
        assert ours.tallies == theirs.tallies


def test_what_browsers_send_goes_quickly_and_all_else_does_not() -> None:
    side = Side(SITES[0])
    head = Head({"origin": "http://shop.test"}, "")

    def goes(*events: dict[str, Any], head: Head | None = head, **more: Any) -> bool:
        body = msgspec.json.encode({"key": "pk_demo", "visitor": "v-1", "events": list(events)} | more)
        return (
            side.quick.observation(Request("POST", "/o", head.headers if head else {}, body, "203.0.113.9", head))
            is not None
        )

    assert goes(event())
    assert goes(event("view_item", item="A"), event("add_to_cart", item="A"))
    assert not goes(event(), head=None)
    assert not goes(event("purchase", item="A"))
    assert not goes(event("view_item"))
    assert not goes(event(consent="denied"))
    assert not goes(event(), visitor=None)
    assert not goes(event(), key="pk_nobody")
    assert not goes(event(search_term="a\0"))
    assert not goes(event(), head=Head({"origin": "http://evil.test"}, ""))
    assert not goes(event(), head=Head({"sec-gpc": "1"}, ""))


def test_who_was_found_out_is_asked_again_when_the_sites_change() -> None:
    side, head = Side(SITES[0]), Head({"origin": "http://shop.test"}, "")
    body = msgspec.json.encode({"key": "pk_demo", "visitor": "v-1", "events": [event()]})
    request = Request("POST", "/o", head.headers, body, "203.0.113.9", head)
    assert side.quick.observation(request)
    side.collector.registry = SiteRegistry.of([Site("demo", "pk_demo", digest("sk_demo"), ("http://other.test",))])
    assert side.quick.observation(request) is None
    assert "403 Forbidden" in side.slowly(request, [b"1"])[1].decode()
