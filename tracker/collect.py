"""The way of an observation, as one readable list: who sends, decode, consent, orders, observe, answer.

`collect` is a generator: it yields commands for the live store and is sent their replies, so that the same code runs in the
edge worker, where many requests share one round trip, and in tests. It does no I/O and reads no clock.
"""

import re
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

import msgspec

from baliza.errors import BadRequest, BalizaError, Forbidden, StoreDown, TooLarge, Unauthorized
from baliza.settings import Settings
from baliza.sites import Site, SiteRegistry
from schema.events import Event
from tracker.beacon import Decoded, decode
from tracker.checks import TimeWindow
from tracker.observe import Command, Context, SessionRules, claim_command, observe_command, quarantine_command
from tracker.pixel import pixel_body
from tracker.request import PIXEL, Answer, Request, client_address, problem_answer, truncated

__all__ = ["COOKIE", "Collector", "Dropped", "Tally"]

COOKIE: Final = "bz_v"
COOKIE_MAX_AGE_S: Final = 13 * 30 * 24 * 3600  # 13 months, the most that data protection authorities accept
_VISITOR_COOKIE = re.compile(rf"(?:^|;\s*){COOKIE}=([A-Za-z0-9_-]{{1,100}})(?:;|$)")

Commands = Sequence[Command]
Steps = Generator[Commands, Sequence[Any], Answer]


class Dropped(Enum):
    """Why an event was understood and yet not counted."""

    DUPLICATE = "duplicate"
    CONSENT = "consent"


class Tally(Counter[str]):
    """What happened to the events of one request: received, taken, rejected, and each reason of Dropped."""

    def reasons(self) -> list[str]:
        return [reason.value for reason in Dropped if self[reason.value]]


@dataclass
class Collector:
    """What a request is judged by. `registry` None: the live store was never reached. `count` hears each tally."""

    settings: Settings
    now_ms: Callable[[], int]
    new_id: Callable[[], str]
    count: Callable[[str, Tally], None]
    registry: SiteRegistry | None = None

    def __post_init__(self) -> None:
        self.rules = SessionRules(self.settings.session_idle_s * 1000, self.settings.session_max_s * 1000)

    def steps(self, request: Request) -> Steps:
        """Answer one request to /o or /o.gif. Yields commands, is sent their replies; StoreDown may be thrown in."""
        try:
            if request.path == "/o.gif":
                return (yield from self._pixel(request))
            if request.method == "OPTIONS":
                return Answer(204, self._cors(request, preflight=True))
            if request.method != "POST":
                return Answer(405, [("Allow", "POST, OPTIONS"), *self._cors(request)])
            answer = yield from self._observations(request)
        except BalizaError as error:
            answer = problem_answer(error)
        answer.headers.extend(self._cors(request))
        return answer

    def _observations(self, request: Request) -> Steps:
        if "content-encoding" in request.headers:
            raise BadRequest(f"expected a body without content encoding, got {request.header('content-encoding')}")
        server_site = self._server_site(request)
        decoded = decode(request.body, self._window(server_site is not None))
        site = server_site or self._browser_site(decoded.key, request)
        cookie = [] if decoded.visitor else self._set_visitor(request, decoded)
        sender = "server" if server_site else "browser"
        tally, rejected = yield from self._record(request, site, decoded, sender)
        answer = _answer(tally, rejected, len(decoded.events) + len(decoded.rejected))
        answer.headers.extend(cookie)
        return answer

    def _pixel(self, request: Request) -> Steps:
        answer = Answer(200, [], PIXEL)
        try:
            if request.method not in ("GET", "HEAD"):
                raise BadRequest(f"expected GET /o.gif, got {request.method}")
            body = pixel_body(request, self.now_ms(), self.new_id)
            decoded = decode(body, self._window(trusted=False))
            if decoded.rejected:
                raise BadRequest(decoded.rejected[0].error)
            site = self._browser_site(decoded.key, request)
            cookie = [] if decoded.visitor else self._set_visitor(request, decoded)
            tally, _ = yield from self._record(request, site, decoded, "pixel")
            answer.headers.extend([*cookie, *_drop_headers(tally)])
        except BalizaError as error:
            # An image tag shows no text: the picture stays whole and the reason goes into a header.
            answer.status = error.status
            answer.headers.append(("X-Baliza-Error", str(error)))
            answer.headers.extend(header for header in problem_answer(error).headers if header[0] == "Retry-After")
        answer.headers.extend([("Content-Type", "image/gif"), ("Cache-Control", "no-store")])
        return answer

    def _record(
        self, request: Request, site: Site, decoded: Decoded, sender: str
    ) -> Generator[Commands, Sequence[Any], tuple[Tally, list[dict[str, Any]]]]:
        """Drop what must not be counted, claim orders, observe the rest, and keep what was rejected."""
        tally = Tally(received=len(decoded.events) + len(decoded.rejected), rejected=len(decoded.rejected))
        context = self._context(request, site, decoded.visitor, sender)
        places = _consented(decoded.events, site, _opted_out(request) and sender != "server")
        tally[Dropped.CONSENT.value] = len(decoded.events) - len(places)
        mine = yield from self._claim_orders(decoded, places, context)
        tally[Dropped.DUPLICATE.value] = len(places) - len(mine)
        partitions = self.settings.partitions
        commands: list[Command] = [
            quarantine_command(site.name, decoded.visitor, context.received_ms, bad.error, bad.raw, partitions)
            for bad in decoded.rejected
        ]
        if mine:
            commands.append(observe_command(decoded, mine, context, self.rules, partitions))
        replies = (yield commands) if commands else []
        if mine:
            marks: bytes = replies[-1]
            tally["taken"] = marks.count(b"1")
            tally[Dropped.DUPLICATE.value] += marks.count(b"0")
        self.count(site.name, tally)
        return tally, [{"index": bad.index, "error": bad.error} for bad in decoded.rejected]

    def _claim_orders(
        self, decoded: Decoded, places: list[int], context: Context
    ) -> Generator[Commands, Sequence[Any], list[int]]:
        """The places without purchases of orders that were counted before, whoever sent them."""
        orders = [place for place in places if decoded.events[place].type == "purchase"]
        if not orders:
            return places
        replies = yield [
            claim_command(decoded.events[place], context.site, context.visitor_id, self.settings.partitions)
            for place in orders
        ]
        counted = {place for place, mine in zip(orders, replies, strict=True) if not mine}
        return [place for place in places if place not in counted]

    def _window(self, trusted: bool) -> TimeWindow:
        late_ms = None if trusted else self.settings.late_max_s * 1000
        return TimeWindow(self.now_ms(), late_ms, self.settings.future_max_s * 1000)

    def _context(self, request: Request, site: Site, visitor_id: str, sender: str) -> Context:
        peer = client_address(request.peer, request.header("x-forwarded-for"), self.settings.trusted_proxies)
        return Context(
            site=site.name,
            visitor_id=visitor_id,
            received_ms=self.now_ms(),
            sender=sender,
            trusted=sender == "server" or site.trust_browser,
            network=truncated(peer),
            user_agent=request.header("user-agent")[:500],
        )

    def _sites(self) -> SiteRegistry:
        if self.registry is None:
            raise StoreDown("the live store has not been reached yet, so that keys cannot be checked")
        return self.registry

    def _server_site(self, request: Request) -> Site | None:
        given = request.header("authorization")
        if not given:
            return None
        kind, _, secret = given.partition(" ")
        site = self._sites().with_secret(secret.strip()) if kind.lower() == "bearer" else None
        if site is None:
            raise Unauthorized("the bearer key is not the secret key of any site; `baliza site list` shows the sites")
        return site

    def _browser_site(self, key: str, request: Request) -> Site:
        if not key:
            raise Unauthorized('expected the publishable key as "key" in the body (or the secret key as bearer), got none')
        site = self._sites().by_key.get(key)
        if site is None:
            raise Unauthorized(f"{key!r} is not the publishable key of any site; `baliza site list` shows them")
        origin = request.header("origin")
        if origin and not site.allows(origin):
            raise Forbidden(f"the site {site.name} does not allow the origin {origin}; `baliza site origins` changes that")
        return site

    def _set_visitor(self, request: Request, decoded: Decoded) -> list[tuple[str, str]]:
        """Give a batch without visitor the one of the cookie, or a new one and the cookie for it."""
        match = _VISITOR_COOKIE.search(request.header("cookie"))
        decoded.visitor = match[1] if match else self.new_id()
        if match or _opted_out(request):
            return []
        secure = " Secure;" if self.settings.secure_cookies else ""
        value = f"{COOKIE}={decoded.visitor}; Max-Age={COOKIE_MAX_AGE_S}; Path=/;{secure} HttpOnly; SameSite=Lax"
        return [("Set-Cookie", value)]

    def _cors(self, request: Request, *, preflight: bool = False) -> list[tuple[str, str]]:
        origin = request.header("origin")
        known = self.registry.by_name.values() if self.registry else ()
        if not origin or not any(site.allows(origin) for site in known):
            return []
        headers = [
            ("Access-Control-Allow-Origin", origin),
            ("Access-Control-Allow-Credentials", "true"),
            ("Access-Control-Expose-Headers", "X-Baliza-Dropped, X-Baliza-Count, Retry-After"),
            ("Vary", "Origin"),
        ]
        if preflight:
            headers += [
                ("Access-Control-Allow-Methods", "POST"),
                ("Access-Control-Allow-Headers", "Content-Type, Authorization"),
                ("Access-Control-Max-Age", "3600"),
            ]
        return headers


def _opted_out(request: Request) -> bool:
    """Global Privacy Control or Do Not Track: nothing is stored."""
    return request.header("sec-gpc") == "1" or request.header("dnt") == "1"


def _consented(events: Sequence[Event], site: Site, opted_out: bool) -> list[int]:
    if opted_out:
        return []
    return [
        place
        for place, event in enumerate(events)
        if event.consent == "granted" or (event.consent is None and not site.require_consent)
    ]


def _drop_headers(tally: Tally) -> list[tuple[str, str]]:
    reasons = tally.reasons()
    if not reasons:
        return []
    counts = ", ".join(f"{name}={tally[name]}" for name in reasons)
    return [("X-Baliza-Dropped", ", ".join(reasons)), ("X-Baliza-Count", f"accepted={tally['taken']}, {counts}")]


def _answer(tally: Tally, rejected: list[dict[str, Any]], received: int) -> Answer:
    """202 when all was understood, 200 with the rejected ones when a part was bad, 400 when nothing was usable."""
    if not rejected:
        return Answer(202, _drop_headers(tally))
    if len(rejected) == received:
        detail = rejected[0]["error"] + (f" (and {received - 1} more events with errors)" if received > 1 else "")
        error = TooLarge(detail) if "expected an event of at most" in detail and received == 1 else BadRequest(detail)
        return problem_answer(error)
    body = {
        "accepted": tally["taken"],
        "rejected": rejected,
        **{reason: tally[reason] for reason in tally.reasons()},
    }
    return Answer(200, [("Content-Type", "application/json"), *_drop_headers(tally)], msgspec.json.encode(body))
