"""Shoppers for locust: they walk as the demo's do (browse, search, look, fill a cart, buy, leave at once, come again).

    locust -f loadtests/locustfile.py --headless -u 200 -r 20 -t 5m --host http://127.0.0.1:8000
    locust -f loadtests/locustfile.py --headless -u 500 -r 100 -t 10m --shape sale --host https://events.shop.example \\
           --key pk_… --origin https://shop.example --secret-key sk_…

Run it from the project's folder. The exit code is 1 when more than 0.1 % of requests fail, 1 % take longer than 250 ms, or
an accepted event is not found again (with --secret-key in the live store, with --token in the reports).
"""

import logging
import os
import random
import time
from collections import Counter, deque
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx
from locust import FastHttpUser, LoadTestShape, events, task
from locust.env import Environment
from locust.exception import StopUser

from demo.catalogue import PRODUCTS
from demo.people import Shopper, new_shopper
from demo.responses import respond
from demo.walks import Event, instant, walk
from loadtests.ledger import Ledger, compare, events_in_history, events_live, until_found
from loadtests.limits import Limits, broken
from loadtests.moments import moments
from loadtests.shapes import DEFAULT_S, SHAPES, shoppers_at

__all__ = ["Shape", "Visitor"]

PLACEMENTS: Final = {"view_promotion": "home-hero", "view_item": "product-detail", "view_cart": "cart"}
# How far a visit came, for the summary: the last that applies.
STAGES: Final = {
    "page_view": "browsed", "search": "searched", "view_item": "saw products", "add_to_cart": "filled a cart",
    "begin_checkout": "left at the till", "purchase": "bought",
}  # fmt: skip
COMES_AGAIN: Final = 0.35
KNOWN: Final = 2_000
MOST_COMPARED: Final = 2_000
HISTORY_PATIENCE_S: Final = 60.0
log = logging.getLogger("loadtests")
logging.getLogger("httpx").setLevel(logging.WARNING)

ledger = Ledger()
stages: Counter[str] = Counter()
# Who was here before, with what they left in the cart; taken out while they are here again.
known: deque[tuple[Shopper, dict[str, int]]] = deque(maxlen=KNOWN)
began = datetime.now(UTC)


@events.init_command_line_parser.add_listener  # type: ignore[untyped-decorator]
def _add_options(parser: Any) -> None:
    least = Limits()
    parser.add_argument("--key", default="pk_demo", help="publishable key of the site")
    parser.add_argument("--origin", default="", help="the shop's origin, which the site must allow; default: the host")
    parser.add_argument("--speed", type=float, default=1.0, help="how much faster than people the shoppers walk")
    parser.add_argument("--shape", choices=list(SHAPES), default="steady", help="how many come when; -u is the height")
    parser.add_argument("--most-failed", type=float, default=least.failed_share, help="share of failures that is borne")
    parser.add_argument("--most-p99-ms", type=float, default=least.p99_ms, help="99th percentile that is borne, ms")
    parser.add_argument(
        "--secret-key", is_secret=True, default=os.environ.get("BALIZA_SECRET_KEY", ""),
        help="the site's, or BALIZA_SECRET_KEY: look for accepted events in the live store",
    )  # fmt: skip
    parser.add_argument("--reports-url", default="http://127.0.0.1:8001", help="the private port, for --token")
    parser.add_argument(
        "--token", is_secret=True, default=os.environ.get("BALIZA_TOKEN", ""),
        help="a report token, or BALIZA_TOKEN: look for accepted events in the history",
    )  # fmt: skip


@events.quitting.add_listener  # type: ignore[untyped-decorator]
def _judge(environment: Environment, **_: Any) -> None:
    """Locust itself fails a run at the first failed request; here the limits decide."""
    if environment.runner is None or environment.parsed_options is None:
        return
    options, total = environment.parsed_options, environment.runner.stats.total
    p99_ms = total.get_response_time_percentile(0.99) or 0.0
    differences = _differences(environment.host or "", options) if ledger.accepted else []
    wrong = broken(
        Limits(options.most_failed, options.most_p99_ms), total.num_requests, total.fail_ratio, p99_ms, differences
    )
    log.info("visits: %s", ", ".join(f"{count} {stage}" for stage, count in stages.most_common()) or "none")
    for sentence in wrong:
        log.error(sentence)
    # An exception in a shopper is a mistake of this file, and no measurement.
    environment.process_exit_code = 1 if wrong or environment.runner.exceptions else 0


def _differences(host: str, options: Any) -> list[str]:
    """Accepted events that are nowhere, as sentences. A check that was asked for and cannot be made is one as well."""
    found: list[str] = []
    try:
        if options.secret_key:
            found += _in_live_store(host, options.secret_key)
        if options.token:
            found += _in_history(options.reports_url, options.token)
    except (httpx.HTTPError, KeyError, ValueError) as error:
        found.append(f"expected to find the accepted events, but could not look: {error}")
    return found


def _in_live_store(host: str, secret: str) -> list[str]:
    chosen = random.sample(sorted(ledger.accepted), min(MOST_COMPARED, len(ledger.accepted)))
    with httpx.Client(base_url=host, timeout=10, trust_env=False) as client:
        seen = compare(ledger, events_live(client, secret, iter(chosen)))
    log.info("live store: %d of %d visitors compared, %d events missing", seen.compared, len(ledger.accepted), seen.missing)
    return seen.sentences("the live store")


def _in_history(url: str, token: str) -> list[str]:
    since = instant(began - timedelta(minutes=1))
    with httpx.Client(base_url=url, timeout=30, trust_env=False) as client:
        seen = until_found(
            lambda: compare(ledger, dict.fromkeys(ledger.accepted, 0) | events_in_history(client, token, since)),
            HISTORY_PATIENCE_S,
        )
    log.info("history: %d visitors compared, %d events missing", seen.compared, seen.missing)
    return seen.sentences("the history")


class Shape(LoadTestShape):
    """As many shoppers as --shape says, between -u and a share of it; -r is how fast they come and go."""

    use_common_options = True

    def tick(self) -> tuple[int, float] | None:
        """Shoppers now, and how many may come in a second; None ends the run."""
        runner: Any = self.runner
        options = runner.environment.parsed_options
        run_s = float(options.run_time or (float("inf") if options.shape == "steady" else DEFAULT_S))
        shoppers = shoppers_at(options.shape, time.perf_counter() - self.start_time, run_s, options.num_users or 1)
        return None if shoppers is None else (shoppers, float(options.spawn_rate or 1))


class Visitor(FastHttpUser):
    """One visit after another: each task is a whole one, of somebody new or of somebody who was here before."""

    def wait_time(self) -> float:
        """Seconds until the next one comes."""
        return random.uniform(1, 10) / float(self._options.speed)

    @task
    def visit(self) -> None:
        """Walk through the shop, at the speed that was asked for."""
        rng = random.Random()
        shopper, cart = self._somebody(rng)
        said: list[Event] = []
        for pause_s, now in moments(walk(shopper, PRODUCTS, rng, datetime.now(UTC), cart)):
            time.sleep(pause_s / self._options.speed)  # gevent's, by locust's patch: others go on meanwhile
            if not self._tell(shopper, now):
                break
            said += now
            asked = next((event for event in reversed(now) if event["type"] in PLACEMENTS), None)
            if asked and not shopper.is_bot:
                self._look_at_offers(shopper, asked, rng, cart)
        stages[_stage(shopper, said)] += 1
        if not shopper.is_bot:
            known.append((shopper, cart))

    def _somebody(self, rng: random.Random) -> tuple[Shopper, dict[str, int]]:
        """Somebody new with an empty cart, or somebody known with theirs; nobody is here twice at once."""
        if known and rng.random() < COMES_AGAIN:
            stages["came again"] += 1
            return known.popleft()
        return new_shopper(rng, f"{self._origin}/shop"), {}

    @property
    def _origin(self) -> str:
        if not self.host:
            raise StopUser
        return str(self._options.origin or self.host).rstrip("/")

    @property
    def _options(self) -> Any:
        return self.environment.parsed_options

    def _headers(self, shopper: Shopper) -> dict[str, str]:
        return {"User-Agent": shopper.user_agent, "Origin": self._origin, "Referer": f"{self._origin}/shop/"}

    def _tell(self, shopper: Shopper, said: list[Event]) -> bool:
        """Send events as the browser does. False when the collector did not take them all."""
        now = instant(datetime.now(UTC))
        dated = [{**event, "occurred_at": now} for event in said]
        body = {"key": self._options.key, "visitor": shopper.visitor_id, "sent_at": now, "events": dated}
        headers = {**self._headers(shopper), "Content-Type": "text/plain"}
        name = f"/o {said[-1]['type']}"
        ledger.sent(shopper.visitor_id, len(dated))
        with self.client.post("/o", json=body, headers=headers, name=name, catch_response=True) as answer:
            taken = answer.status_code == 202 and "X-Baliza-Dropped" not in (answer.headers or {})
            # Of 202 with something dropped nothing is known but that it came.
            ledger.answered(shopper.visitor_id, len(dated), answer.status_code if taken or answer.status_code != 202 else 0)
            if not taken:
                answer.failure(f"expected 202 and nothing dropped, got {answer.status_code}: {(answer.text or '')[:200]}")
            return bool(taken)

    def _look_at_offers(self, shopper: Shopper, event: Event, rng: random.Random, cart: dict[str, int]) -> None:
        """Ask for offers where the shop would show them, and answer them as a shopper does."""
        placement = PLACEMENTS[str(event["type"])]
        asked = f"key={self._options.key}&visitor={shopper.visitor_id}&placement={placement}&limit=4"
        items = event.get("items")
        if placement == "product-detail" and isinstance(items, list):
            asked += f"&item_id={items[0]['item_id']}"
        with self.client.get(
            f"/v1/offers?{asked}", name="/v1/offers", headers=self._headers(shopper), catch_response=True
        ) as answer:
            if answer.status_code != 200:
                answer.failure(f"expected 200, got {answer.status_code}: {(answer.text or '')[:200]}")
                return
            found = answer.json()
        said = respond(found, placement, shopper, rng, datetime.now(UTC), cart)
        if said:
            self._tell(shopper, said)


def _stage(shopper: Shopper, said: list[Event]) -> str:
    if shopper.is_bot:
        return "robots"
    types = Counter(str(event["type"]) for event in said)
    if types["page_view"] == 1:
        return "left at once"
    return next((stage for kind, stage in reversed(STAGES.items()) if types[kind]), "were not let in")
