"""Shoppers for locust: they walk as the demo's do (browse, search, look, fill a cart, buy, or leave at once).

    locust -f loadtests/locustfile.py --headless -u 20 -r 5 -t 20s --host http://127.0.0.1:8000

Run it from the project's folder. The exit code is 1 when more than 0.1 % of requests fail, or 5 % take longer than 250 ms.
"""

import logging
import random
import time
from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any, Final

from locust import FastHttpUser, events, task
from locust.env import Environment
from locust.exception import StopUser

from demo.catalogue import PRODUCTS
from demo.people import Shopper, new_shopper
from demo.responses import respond
from demo.walks import Event, instant, walk
from loadtests.limits import Limits, broken
from loadtests.moments import moments

__all__ = ["Visitor"]

PLACEMENTS: Final = {"view_item": "product-detail", "view_cart": "cart"}
log = logging.getLogger("loadtests")


@events.init_command_line_parser.add_listener  # type: ignore[untyped-decorator]
def _add_options(parser: ArgumentParser) -> None:
    least = Limits()
    parser.add_argument("--key", default="pk_demo", help="publishable key of the site")
    parser.add_argument("--origin", default="", help="the shop's origin, which the site must allow; default: the host")
    parser.add_argument("--speed", type=float, default=6.0, help="how much faster than people the shoppers walk")
    parser.add_argument("--most-failed", type=float, default=least.failed_share, help="share of failures that is borne")
    parser.add_argument("--most-p95-ms", type=float, default=least.p95_ms, help="95th percentile that is borne, ms")


@events.quitting.add_listener  # type: ignore[untyped-decorator]
def _judge(environment: Environment, **_: Any) -> None:
    """Locust itself fails a run at the first failed request; here the limits decide."""
    if environment.runner is None or environment.parsed_options is None:
        return
    options, total = environment.parsed_options, environment.runner.stats.total
    p95_ms = total.get_response_time_percentile(0.95) or 0.0
    wrong = broken(Limits(options.most_failed, options.most_p95_ms), total.num_requests, total.fail_ratio, p95_ms)
    for sentence in wrong:
        log.error(sentence)
    # An exception in a shopper is a mistake of this file, and no measurement.
    environment.process_exit_code = 1 if wrong or environment.runner.exceptions else 0


class Visitor(FastHttpUser):
    """One visitor after another: each task is a whole visit of somebody new."""

    def wait_time(self) -> float:
        """Seconds until the next one comes."""
        return random.uniform(1, 10) / float(self._options.speed)

    @task
    def visit(self) -> None:
        """Walk through the shop, at the speed that was asked for."""
        rng = random.Random()
        shopper = new_shopper(rng, f"{self._origin}/shop")
        for pause_s, said in moments(walk(shopper, PRODUCTS, rng, datetime.now(UTC))):
            time.sleep(pause_s / self._options.speed)  # gevent's, by locust's patch: others go on meanwhile
            if not self._tell(shopper, said):
                return
            asked = next((event for event in reversed(said) if event["type"] in PLACEMENTS), None)
            if asked and not shopper.is_bot:
                self._look_at_offers(shopper, asked, rng)

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
        with self.client.post("/o", json=body, headers=headers, catch_response=True) as answer:
            if answer.status_code != 202:
                answer.failure(f"expected 202, got {answer.status_code}: {(answer.text or '')[:200]}")
            return bool(answer.status_code == 202)

    def _look_at_offers(self, shopper: Shopper, event: Event, rng: random.Random) -> None:
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
        said = respond(found, placement, shopper, rng, datetime.now(UTC))
        if said:
            self._tell(shopper, said)
