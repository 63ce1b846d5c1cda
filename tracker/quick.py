"""The way of nearly every request: a browser's batch with which nothing is wrong, all of it kept, no order in it.

It is collect.py's way without its detours, and gives the same commands, answers and counts. A request that needs a detour
has changed nothing yet but its network's count, and begins anew there. Senders whose heads were read before are known, and
so are the bytes that they are answered with.
"""

from dataclasses import dataclass
from typing import Final

import msgspec

from baliza.errors import BalizaError
from baliza.sites import SiteRegistry
from tracker.admission import Sender
from tracker.checks import TimeWindow
from tracker.collect import Collector, Tally
from tracker.heads import Head
from tracker.observe import Command, Context, observe_command
from tracker.plain import decode_plain
from tracker.request import Answer, Request

__all__ = ["Observation", "Quick"]

CONSENTS: Final = (None, "granted", "denied")  # what an event may say
ALL_TAKEN: Final = [b"1" * count for count in range(65)]


@dataclass(slots=True)
class _Known:
    """Who sends requests with this head and this key, what their events may say about consent to be kept, and how they are
    told that all was taken.
    """

    registry: SiteRegistry | None
    key: str
    sender: Sender
    may_say: tuple[object, ...]
    agent: str
    accepted: bytes


class Observation(msgspec.Struct):
    """One request on its way: its command, the store's word when every event is new, and what is answered then."""

    request: Request
    command: Command
    site: str
    events: int
    all_taken: bytes
    accepted: bytes


class Quick:
    """Beside a collector, whose rules, limits and clock are used."""

    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    def observation(self, request: Request) -> Observation | None:
        """What to tell the store; None for a request that must go the collector's way, with `counted` set where it is.

        Raises TooManyEvents.
        """
        head, collector = request.head, self._collector
        if head is None:
            return None
        now_ms, network = collector.now_ms(), collector.network_of(request)
        collector.limits.check_network(network, now_ms)
        request.counted = True
        decoded = decode_plain(request.body, TimeWindow(now_ms, collector.late_ms, collector.future_ms))
        if decoded is None or not decoded.visitor or len(decoded.events) >= len(ALL_TAKEN):
            return None
        known: _Known | None = head.notes
        if known is None or known.key != decoded.key or known.registry is not collector.registry:
            known = self._find_out(request, head, decoded.key)
            if known is None:
                return None
        sender = known.sender
        for event in decoded.events:
            if event.consent not in known.may_say:
                return None
        count, site = len(decoded.events), sender.site
        collector.limits.count_browser(site.name, decoded.visitor, network, count, now_ms)
        context = Context(
            site.name, decoded.visitor, now_ms, sender.kind, site.trust_browser, network, known.agent,
            site.count_automation, count,
        )  # fmt: skip
        command = observe_command(decoded, range(count), context, collector.rules, collector.settings.partitions)
        return Observation(request, command, site.name, count, ALL_TAKEN[count], known.accepted)

    def _find_out(self, request: Request, head: Head, key: str) -> _Known | None:
        collector = self._collector
        try:
            sender = collector.browser(request, key, "browser")
        except BalizaError:
            return None
        readable = collector.readable(request, refused=False) if "origin" in head.headers else []
        accepted = Answer(202, readable).head(head.persistence)
        agent = collector.agent_of(request)
        may_say = tuple(consent for consent in CONSENTS if sender.allows(consent))
        head.notes = known = _Known(collector.registry, key, sender, may_say, agent, accepted)
        return known

    def answer(self, observation: Observation, marks: bytes) -> Answer:
        """What became of the events, counted; the store has decided."""
        taken = marks.count(b"1")
        return self._collector.told(
            observation.request, observation.site, Tally(len(marks), taken, 0, 0, len(marks) - taken)
        )
