"""Simulated shoppers: the edge that sends walks to a running baliza, over HTTP as browsers do."""

import heapq
import itertools
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import httpx

from baliza.errors import BadRequest, StoreDown
from demo.catalogue import PRODUCTS
from demo.people import Shopper, new_shopper
from demo.responses import respond
from demo.walks import Batch, Event, Step, history, instant, to_the_till, walk

__all__ = ["Sent", "Shopper", "Step", "history", "new_shopper", "run", "send_history", "walk"]

_TIMEOUT_S: Final = 5.0
_MOST_TRIES: Final = 5
_MOST_VISITS: Final = 200  # at the same time
_KNOWN_VISITORS: Final = 300  # who may come again
_COMES_AGAIN: Final = 0.35
_PLACEMENTS: Final = {"view_promotion": "home-hero", "view_item": "product-detail", "view_cart": "cart"}


@dataclass(frozen=True)
class Sent:
    """One event that was sent. `status` is the HTTP status of its request; 0 when nobody answered."""

    type: str
    visitor_id: str
    status: int


def run(
    base_url: str,
    site_key: str,
    shoppers_per_minute: float,
    speed: float,
    rng: random.Random,
    stop: threading.Event,
    on_event: Callable[[Sent], None],
    utc_now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> None:
    """Send shoppers through the shop until `stop` is set. Blocks; answers within seconds of `stop`.

    shoppers_per_minute: how many visits begin in a minute of real time, on average.
    speed: divides the think times; 1 is as people walk. Events carry the real time of sending.
    on_event: called for every event with the answer to its request, in this thread.

    Nothing raises when the server is away: events wait and are sent again, five times at most.
    """
    street = _Street(shoppers_per_minute, rng, f"{base_url.rstrip('/')}/shop")
    with closing(_Storefront(base_url, site_key, rng, utc_now)) as storefront:
        while not stop.is_set():
            now_s = time.monotonic()
            street.let_in(now_s)
            for visit in street.due(now_s):
                storefront.serve(visit, on_event)
                street.wait_for(visit, now_s + visit.pause_s(speed))
                if stop.is_set():
                    return
            stop.wait(min(0.5, max(0.01, street.next_s() - time.monotonic())))


def send_history(
    base_url: str,
    secret_key: str,
    batches: Iterable[Batch],
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Send past visits with the secret key, in their order; answers how many events went.

    Blocks. Raises StoreDown when the server stays away, BadRequest when it refuses a batch.
    """
    headers = {"Authorization": f"Bearer {secret_key}"}
    sent = 0
    with httpx.Client(base_url=base_url, timeout=_TIMEOUT_S, headers=headers, trust_env=False) as client:
        for batch in batches:
            _send_surely(client, batch, sleep)
            events = batch.body["events"]
            sent += len(events) if isinstance(events, list) else 0
    return sent


def _send_surely(client: httpx.Client, batch: Batch, sleep: Callable[[float], None]) -> None:
    status = 0
    for attempt in range(_MOST_TRIES):
        if attempt:
            sleep(0.5 * 2**attempt)
        status, text = _post(client, batch.body, {"User-Agent": batch.user_agent})
        if 200 <= status < 300:
            return
        if 400 <= status < 500 and status != 429:
            raise BadRequest(f"the server refused a past visit with {status}: {text[:300]}")
    answered = f"answered {status}" if status else "did not answer"
    raise StoreDown(f"{client.base_url}o {answered}, {_MOST_TRIES} times; is baliza up, and are its stores?")


def _post(client: httpx.Client, body: object, headers: dict[str, str]) -> tuple[int, str]:
    try:
        answer = client.post("/o", json=body, headers={"Content-Type": "text/plain", **headers})
    except httpx.HTTPError:
        return 0, ""
    return answer.status_code, answer.text


@dataclass
class _Visit:
    """A walk under way: the step that comes next, and the events that the server has not taken yet."""

    shopper: Shopper
    steps: Iterator[Step]
    upcoming: Step | None
    cart: dict[str, int]
    waiting: list[Event] = field(default_factory=list)
    tries: int = 0

    def take_steps(self, now: datetime) -> list[Event]:
        """The next event and all that follow it without a pause; their time is now."""
        taken: list[Event] = []
        while self.upcoming and (not taken or self.upcoming.pause_s == 0):
            taken.append({**self.upcoming.event, "occurred_at": instant(now)})
            self.upcoming = next(self.steps, None)
        return taken

    def go_on(self, steps: Iterator[Step]) -> None:
        """Do something after the walk's end."""
        self.steps, self.upcoming = steps, next(steps, None)

    def settle(self, status: int) -> None:
        """Keep the events for another try when the server could not take them."""
        failed = status == 0 or status == 429 or status >= 500
        self.tries = self.tries + 1 if failed else 0
        if not failed or self.tries >= _MOST_TRIES:
            self.waiting = []

    def pause_s(self, speed: float) -> float:
        """Real seconds until this visit wants to do something."""
        if self.waiting:
            return 0.5 * float(2**self.tries)
        return self.upcoming.pause_s / speed if self.upcoming else 0.0

    @property
    def over(self) -> bool:
        return self.upcoming is None and not self.waiting


class _Street:
    """Who is in the shop, who comes next and when; times are seconds of the monotonic clock."""

    def __init__(self, shoppers_per_minute: float, rng: random.Random, shop_url: str) -> None:
        self._per_s = shoppers_per_minute / 60
        self._rng = rng
        self._shop_url = shop_url
        self._arrival_s = 0.0  # the first comes at once
        self._queue: list[tuple[float, int, _Visit]] = []
        self._number = itertools.count()
        self._known: deque[Shopper] = deque(maxlen=_KNOWN_VISITORS)

    def let_in(self, now_s: float) -> None:
        """Begin the visit that is due, if one is."""
        if now_s < self._arrival_s or self._per_s <= 0:
            return
        self._arrival_s = now_s + self._rng.expovariate(self._per_s)
        if len(self._queue) >= _MOST_VISITS:
            return
        shopper = self._somebody()
        cart: dict[str, int] = {}
        steps = walk(shopper, PRODUCTS, self._rng, datetime.now(UTC), cart)
        self.wait_for(_Visit(shopper, steps, next(steps, None), cart), now_s)

    def wait_for(self, visit: _Visit, until_s: float) -> None:
        """Let a visit go on later; one that is over leaves."""
        if not visit.over:
            heapq.heappush(self._queue, (until_s, next(self._number), visit))

    def due(self, now_s: float) -> list[_Visit]:
        """The visits whose time has come."""
        found = []
        while self._queue and self._queue[0][0] <= now_s:
            found.append(heapq.heappop(self._queue)[2])
        return found

    def next_s(self) -> float:
        """When something happens next."""
        arrival = self._arrival_s if self._per_s > 0 else float("inf")
        return min(arrival, self._queue[0][0]) if self._queue else arrival

    def _somebody(self) -> Shopper:
        if self._known and self._rng.random() < _COMES_AGAIN:
            return self._rng.choice(self._known)
        shopper = new_shopper(self._rng, self._shop_url)
        self._known.append(shopper)
        return shopper


class _Storefront:
    """The connection to baliza: sends a visit's events, asks for offers and answers them as a shopper would."""

    def __init__(self, base_url: str, site_key: str, rng: random.Random, utc_now: Callable[[], datetime]) -> None:
        self._client = httpx.Client(base_url=base_url, timeout=_TIMEOUT_S, trust_env=False)
        self._key = site_key
        self._origin = f"{self._client.base_url.scheme}://{self._client.base_url.netloc.decode()}"
        self._rng = rng
        self._now = utc_now

    def close(self) -> None:
        self._client.close()

    def serve(self, visit: _Visit, on_event: Callable[[Sent], None]) -> None:
        """Send what the visitor does now, and whatever still waits; then show offers where the shop would."""
        taken = visit.take_steps(self._now()) if not visit.waiting else []
        visit.waiting += taken
        status = self._send(visit, on_event)
        places = [event for event in taken if event["type"] in _PLACEMENTS]
        if 200 <= status < 300 and places and not visit.shopper.is_bot:
            visit.waiting = self._offers(visit, places[-1])
            took = any(event["type"] == "add_to_cart" for event in visit.waiting)
            self._send(visit, on_event)
            if took and visit.upcoming is None:
                visit.go_on(to_the_till(visit.shopper, PRODUCTS, self._rng, self._now(), visit.cart))

    def _send(self, visit: _Visit, on_event: Callable[[Sent], None]) -> int:
        events, visitor = list(visit.waiting), visit.shopper.visitor_id
        if not events:
            return 0
        body = {"key": self._key, "visitor": visitor, "sent_at": instant(self._now()), "events": events}
        status, _ = _post(self._client, body, self._headers(visit.shopper))
        visit.settle(status)
        for event in events:
            on_event(Sent(str(event["type"]), visitor, status))
        return status

    def _offers(self, visit: _Visit, event: Event) -> list[Event]:
        shopper = visit.shopper
        placement, items = _PLACEMENTS[str(event["type"])], event.get("items")
        asked = {"key": self._key, "visitor": shopper.visitor_id, "placement": placement, "limit": "4"}
        if placement == "product-detail" and isinstance(items, list):
            asked["item_id"] = items[0]["item_id"]
        try:
            answer = self._client.get("/v1/offers", params=asked, headers=self._headers(shopper))
            found = answer.json() if answer.status_code == 200 else {}
        except (httpx.HTTPError, ValueError):
            return []
        if not isinstance(found, dict):
            return []
        return respond(found, placement, shopper, self._rng, self._now(), visit.cart)

    def _headers(self, shopper: Shopper) -> dict[str, str]:
        return {"User-Agent": shopper.user_agent, "Origin": self._origin, "Referer": f"{self._origin}/shop/"}
