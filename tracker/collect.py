"""The way of an observation, as one readable list: who sends, decode, consent, orders, observe, answer.

`Collector.steps` is a generator: it yields commands for the live store and is sent their replies, so that the same code runs
in the edge worker, where many requests share one round trip, and in tests. It does no I/O and reads no clock.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

import msgspec

from baliza.errors import BadRequest, BalizaError, StoreDown, TooLarge
from baliza.settings import Settings
from baliza.sites import SiteRegistry
from tracker.admission import (
    Sender,
    WrongMethod,
    admit_browser,
    admit_server,
    cors_headers,
    known_visitor,
    said_consent,
    visitor_cookie,
)
from tracker.beacon import Decoded, Rejection, decode
from tracker.checks import TimeWindow
from tracker.observe import (
    CLAIMED,
    HELD,
    Command,
    Context,
    claim_command,
    observe_command,
    receipt_command,
    session_rules,
    settle_command,
)
from tracker.pixel import header_text, pixel_body
from tracker.quarantine import refuse_command
from tracker.rate import RateLimits
from tracker.request import PIXEL, Answer, Request, client_address, problem_answer, truncated

__all__ = ["Collector", "Commands", "Dropped", "Steps", "Tally"]

Commands = Sequence[Command]
Steps = Generator[Commands, Sequence[Any], Answer]
Header = tuple[str, str]


class OrderHeld(StoreDown):
    """Whether the order is counted is not known yet."""

    title = "Order not settled"
    retry_after_s = 1


class Dropped(Enum):
    """Why an event was understood and yet not counted."""

    DUPLICATE = "duplicate"
    CONSENT = "consent"


REASONS: Final = tuple(reason.value for reason in Dropped)
# Origins are the senders' own words, so what is known of them is bounded.
KNOWN_MOST: Final = 2_000


@dataclass(slots=True)
class Tally:
    """What happened to the events of one request, or of several: received = taken + rejected + consent + duplicate."""

    received: int = 0
    taken: int = 0
    rejected: int = 0
    consent: int = 0
    duplicate: int = 0

    def add(self, other: "Tally") -> None:
        self.received += other.received
        self.taken += other.taken
        self.rejected += other.rejected
        self.consent += other.consent
        self.duplicate += other.duplicate

    def reasons(self) -> dict[str, int]:
        """Of each reason why something was dropped how often; those that there were."""
        return {reason: getattr(self, reason) for reason in REASONS if getattr(self, reason)}


@dataclass(slots=True)
class _Known:
    registry: SiteRegistry | None
    senders: dict[tuple[str | None, ...], Sender] = field(default_factory=dict)
    readable: dict[tuple[str, bool], list[Header]] = field(default_factory=dict)


@dataclass
class Collector:
    """What a request is judged by. `registry` None: the live store was never reached. `count` hears each tally."""

    settings: Settings
    now_ms: Callable[[], int]
    new_id: Callable[[], str]
    count: Callable[[str, Tally], None]
    registry: SiteRegistry | None = None

    def __post_init__(self) -> None:
        self.late_ms, self.future_ms = self.settings.late_max_s * 1000, self.settings.future_max_s * 1000
        self.limits = RateLimits(self.settings)
        self.rules = session_rules(self.settings)
        self._found_out = _Known(self.registry)

    def steps(self, request: Request) -> Steps:
        """Answer one request to /o or /o.gif. Yields commands, is sent their replies; StoreDown may be thrown in."""
        if request.target != "/o" and request.path == "/o.gif":
            return (yield from self._pixel(request))
        if request.method == "OPTIONS":
            return Answer(204, cors_headers(request, self.registry, preflight=True))
        try:
            answer = yield from self._observations(request)
        except BalizaError as error:
            return self.refused(request, error)
        return self._readable_by_page(request, answer)

    def refused(self, request: Request, error: BalizaError) -> Answer:
        """What is said about a request to /o of which nothing was taken."""
        answer = problem_answer(error)
        if isinstance(error, WrongMethod):
            answer.headers.append(("Allow", "POST, OPTIONS"))
        return self._readable_by_page(request, answer)

    def told(self, request: Request, site: str, tally: Tally) -> Answer:
        """What is said about a request to /o whose events were all good, and counts them."""
        self.count(site, tally)
        return self._readable_by_page(request, _answer(tally, []))

    def _readable_by_page(self, request: Request, answer: Answer) -> Answer:
        if "origin" in request.headers:
            answer.headers.extend(self.readable(request, refused=answer.status >= 400))
        return answer

    def readable(self, request: Request, *, refused: bool) -> list[Header]:
        """As cors_headers, which asks every site."""
        said = (request.headers["origin"], refused)
        known = self._known()
        headers = known.readable.get(said)
        if headers is None:
            headers = known.readable[said] = cors_headers(request, self.registry, refused=refused)
        return headers

    def _known(self) -> "_Known":
        """What was found out about senders, while the sites are the same and there is room."""
        known = self._found_out
        if known.registry is not self.registry or len(known.senders) + len(known.readable) > KNOWN_MOST:
            known = self._found_out = _Known(self.registry)
        return known

    def _observations(self, request: Request) -> Steps:
        if request.method != "POST":
            raise WrongMethod(f"expected POST /o, got {request.method}")
        if "content-encoding" in request.headers and request.header("content-encoding") not in ("", "identity"):
            raise BadRequest(f"expected a body without content encoding, got {request.header('content-encoding')}")
        tally, rejected, headers = yield from self._take(request, request.body, "browser")
        answer = _answer(tally, rejected)
        answer.headers.extend(headers)
        return answer

    def _pixel(self, request: Request) -> Steps:
        answer = Answer(200, [], PIXEL)
        try:
            if request.method not in ("GET", "HEAD"):
                raise WrongMethod(f"expected GET /o.gif, got {request.method}")
            body = pixel_body(request, self.now_ms(), self.new_id)
            tally, rejected, headers = yield from self._take(request, body, "pixel")
            if rejected:
                raise _unusable(rejected)
            answer.headers.extend([*headers, *_drop_headers(tally)])
        except BalizaError as error:
            # An image tag shows no text: the picture stays whole and the reason goes into a header.
            problem = problem_answer(error)
            answer.status = problem.status
            answer.headers = [header for header in problem.headers if header[0] != "Content-Type"]
            answer.headers.append(("X-Baliza-Error", header_text(str(error))))
            if isinstance(error, WrongMethod):
                answer.headers.append(("Allow", "GET, HEAD"))
        answer.headers.extend([("Content-Type", "image/gif"), ("Cache-Control", "no-store")])
        return answer

    def _take(
        self, request: Request, body: bytes, kind: str
    ) -> Generator[Commands, Sequence[Any], tuple[Tally, list[Rejection], list[Header]]]:
        """Judge a body and record what is good in it. Answers what became of it, and the headers that go with that."""
        server = admit_server(request, self.registry) if kind == "browser" and "authorization" in request.headers else None
        network, now_ms = self.network_of(request), self.now_ms()
        if server is None and not request.counted:
            self.limits.check_network(network, now_ms)
        decoded = decode(body, TimeWindow(now_ms, None if server else self.late_ms, self.future_ms))
        sender = server or self.browser(request, decoded.key, kind)
        tally = Tally(received=len(decoded.events) + len(decoded.rejected), rejected=len(decoded.rejected))
        # What may not be kept must not lie in the stream either, not even in the body of the others.
        good = decoded.only([place for place, event in enumerate(decoded.events) if sender.allows(event.consent)])
        bad = [each for each in decoded.rejected if sender.allows(said_consent(each.raw))]
        tally.consent = len(decoded.events) - len(good.events)
        headers = [] if decoded.visitor else self._name_visitor(request, sender, good)
        if server is None:
            self.limits.count_browser(sender.site.name, good.visitor, network, tally.received, now_ms)
        else:
            self.limits.count_server(sender.site.name, tally.received, now_ms)
        context = self._context(request, sender, good, tally, network, now_ms)
        yield from self._record(good, bad, context, tally)
        self.count(sender.site.name, tally)
        return tally, decoded.rejected, headers

    def browser(self, request: Request, key: str, kind: str) -> Sender:
        """As admit_browser. A site's pages come with few origins and wishes: who was admitted once is known."""
        headers = request.headers
        said = (key, kind, headers.get("origin"), headers.get("sec-gpc"), headers.get("dnt"))
        known = self._known()
        sender = known.senders.get(said)
        if sender is None:
            sender = known.senders[said] = admit_browser(request, self.registry, key, kind)
        return sender

    def _record(
        self, decoded: Decoded, rejected: list[Rejection], context: Context, tally: Tally
    ) -> Generator[Commands, Sequence[Any], None]:
        """Claim orders, observe what is new, settle the orders, and keep what was rejected."""
        partitions = self.settings.partitions
        orders = [place for place, event in enumerate(decoded.events) if event.type == "purchase"]
        mine: Sequence[int] = range(len(decoded.events))
        if orders:
            mine = yield from self._claim_orders(decoded, orders, context)
            context.known = tally.duplicate = len(decoded.events) - len(mine)
        context.offered = len(mine)
        if mine:
            last = observe_command(decoded, mine, context, self.rules, partitions)
        else:
            # Not in the visitor's partition: that would say something about a visitor who wants nothing to be kept.
            last = receipt_command(context, context.received_ms % partitions)
        refusals = [refuse_command(each, context, decoded.shift_ms, partitions) for each in rejected]
        answer = (yield [*refusals, last])[-1]
        if not mine:
            return
        marks: bytes = answer[0]
        tally.taken = marks.count(b"1")
        tally.duplicate += len(marks) - tally.taken
        if orders and (counted := [decoded.events[place] for place in orders if place in mine]):
            yield [settle_command(event, context, partitions) for event in counted]

    def _claim_orders(
        self, decoded: Decoded, orders: list[int], context: Context
    ) -> Generator[Commands, Sequence[Any], list[int]]:
        """The places without purchases of orders that were counted before, whoever sent them.

        Raises OrderHeld while another request is about to count one of them: it may die, and then the order would be lost.
        """
        first = {decoded.events[place].transaction_id: place for place in reversed(orders)}
        replies = yield [claim_command(decoded.events[n], context, self.settings.partitions) for n in first.values()]
        if HELD in replies:
            raise OrderHeld("another request is just recording this order")
        mine = {place for place, reply in zip(first.values(), replies, strict=True) if reply == CLAIMED}
        return [place for place in range(len(decoded.events)) if place in mine or place not in orders]

    def network_of(self, request: Request) -> str:
        """Where it comes from, as far as that is ever written down."""
        peer, proxies = request.peer, self.settings.trusted_proxies
        return truncated(client_address(peer, request.header("x-forwarded-for"), proxies) if proxies else peer)

    def agent_of(self, request: Request) -> str:
        """The browser's own word for itself, as much of it as is kept."""
        return request.header("user-agent")[:500]

    def _context(
        self, request: Request, sender: Sender, decoded: Decoded, tally: Tally, network: str, now_ms: int
    ) -> Context:
        site, kind = sender.site, sender.kind
        return Context(
            site.name,
            decoded.visitor,
            now_ms,
            kind,
            kind == "server" or site.trust_browser,
            network,
            decoded.user_agent if kind == "server" else self.agent_of(request),
            site.count_automation,
            consent=tally.consent,
            rejected=tally.rejected,
        )

    def _name_visitor(self, request: Request, sender: Sender, decoded: Decoded) -> list[Header]:
        """Give a batch without visitor the one of the cookie, or a new one; with a cookie where something is kept."""
        decoded.visitor = known_visitor(request)
        if decoded.visitor:
            return []
        if sender.kind == "server":
            raise BadRequest("expected the field visitor from a server, got none")
        decoded.visitor = self.new_id()
        return [visitor_cookie(decoded.visitor, secure=self.settings.secure_cookies)] if decoded.events else []


def _drop_headers(tally: Tally) -> list[Header]:
    reasons = tally.reasons()
    if not reasons:
        return []
    counts = ", ".join(f"{name}={count}" for name, count in reasons.items())
    return [("X-Baliza-Dropped", ", ".join(reasons)), ("X-Baliza-Count", f"accepted={tally.taken}, {counts}")]


def _unusable(rejected: list[Rejection]) -> BadRequest:
    more = f" (and {len(rejected) - 1} more events with errors)" if len(rejected) > 1 else ""
    return (TooLarge if all(bad.too_large for bad in rejected) else BadRequest)(rejected[0].error + more)


def _answer(tally: Tally, rejected: list[Rejection]) -> Answer:
    """202 when all was understood, 200 with the rejected ones when a part was bad, 400 when nothing was usable."""
    if not rejected:
        return Answer(202, _drop_headers(tally))
    if len(rejected) == tally.received:
        return problem_answer(_unusable(rejected))
    body = {
        "accepted": tally.taken,
        "rejected": [{"index": bad.index, "error": bad.error} for bad in rejected],
        **tally.reasons(),
    }
    return Answer(200, [("Content-Type", "application/json"), *_drop_headers(tally)], msgspec.json.encode(body))
