"""`python -m loadtests.hit`: one sample visit to a running demo, what was answered, and the live session it made.

BALIZA_URL says where the public port is (default http://127.0.0.1:8000). The keys are the demo's.
"""

import os
import random
import sys
import uuid
from datetime import UTC, datetime
from typing import Any, Final

import httpx
import msgspec

from demo import paths
from demo.basket import Line
from demo.catalogue import PRODUCTS
from demo.data_layer import item, money
from demo.walks import Event, instant, new_event

__all__ = ["main", "sample_events"]

KEY: Final = "pk_demo"
SECRET: Final = "sk_demo"
DEFAULT_URL: Final = "http://127.0.0.1:8000"


def sample_events(base_url: str, rng: random.Random, moment: datetime) -> list[Event]:
    """Somebody looks at the first product of the shop and puts it in the cart. Pure."""
    product, shop = PRODUCTS[0], f"{base_url}/shop"
    url = shop + paths.product(product.item_id)
    page = {"url": url, "referrer": shop + paths.category(product.category), "title": product.name}
    said = money([item(Line(product, 1), url, shop + paths.picture(product.item_id))], product.price)
    return [new_event(kind, moment, rng, page=page, **said) for kind in ("view_item", "add_to_cart")]


def main() -> int:
    """Send, read back, print. The exit code is 1 when the events were not taken or nobody answers."""
    base_url = os.environ.get("BALIZA_URL", DEFAULT_URL).rstrip("/")
    visitor, now = str(uuid.uuid4()), datetime.now(UTC)
    events = sample_events(base_url, random.Random(), now)
    body = {"key": KEY, "visitor": visitor, "sent_at": instant(now), "events": events}
    try:
        with httpx.Client(base_url=base_url, timeout=10, trust_env=False) as client:
            taken = client.post("/o", json=body, headers={"Content-Type": "text/plain"})
            _show(f"POST {base_url}/o  ({', '.join(str(event['type']) for event in events)})", taken)
            if taken.status_code != 202:
                return 1
            asked = {"params": {"visitor": visitor}, "headers": {"Authorization": f"Bearer {SECRET}"}}
            session = client.get("/v1/sessions/current", **asked)  # type: ignore[arg-type]
            _show(f"GET {session.url}", session)
    except httpx.HTTPError as error:
        print(f"{base_url}: {error}. Is the demo running? `make demo` starts it; BALIZA_URL says where.", file=sys.stderr)
        return 1
    return 0 if session.status_code == 200 else 1


def _show(asked: str, answer: httpx.Response) -> None:
    print(f"{asked}\n{answer.status_code} {answer.reason_phrase}")
    if answer.content:
        found: Any = msgspec.json.decode(answer.content)
        print(msgspec.json.format(msgspec.json.encode(found)).decode())
    print()


if __name__ == "__main__":
    sys.exit(main())
