"""The golden examples of the wire: each gets exactly the answer that it promises."""

import json
from datetime import datetime
from importlib.resources import files
from typing import Any

import msgspec
import pytest

from schema import keys
from schema.events import Batch, Event, Item
from schema.profile import decode_profile
from tests.support.collecting import Shop
from tracker.request import Answer

FOLDER = files("schema").joinpath("examples")
EXAMPLES = {
    file.name.removesuffix(".json"): json.loads(file.read_text()) for file in FOLDER.iterdir() if file.name.endswith(".json")
}
README = FOLDER.joinpath("README.md").read_text()
GOOD = sorted(name for name, example in EXAMPLES.items() if example["answer"]["status"] == 202)


def send(shop: Shop, example: dict[str, Any]) -> Answer:
    shop.now = datetime.fromisoformat(example["received_at"])
    return shop.post(example["request"]["body"], example["request"]["headers"])


@pytest.mark.redis
@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_gets_the_answer_that_it_promises(shop: Shop, name: str) -> None:
    example = EXAMPLES[name]
    answer = send(shop, example)
    body = json.loads(answer.body) if answer.body else None
    assert {"status": answer.status, "headers": dict(answer.headers), "body": body} == example["answer"]


@pytest.mark.redis
@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_leaves_the_profile_that_it_promises(shop: Shop, name: str) -> None:
    example = EXAMPLES[name]
    send(shop, example)
    visitor = example["request"]["body"]["visitor"]
    stored = shop.redis.get(keys.visitor(keys.partition_of(visitor, 8), "demo", visitor))
    found = decode_profile(stored) if stored else None
    assert example["profile"] == (
        found
        and {
            "customer_id": found.customer_id,
            "session_events": found.session.events if found.session else 0,
            "viewed": [item.item_id for item in found.viewed],
            "cart": {line.item_id: line.quantity for line in found.cart.lines},
            "orders": [order.order_id for order in found.orders],
        }
    )


@pytest.mark.parametrize("name", GOOD)
def test_is_of_the_wires_types(name: str) -> None:
    msgspec.convert(EXAMPLES[name]["request"]["body"], Batch)


def test_one_of_them_has_every_field() -> None:
    (event,) = EXAMPLES["everything"]["request"]["body"]["events"]
    assert set(event) == set(Event.__struct_fields__)
    assert set(event["items"][0]) >= set(Item.__struct_fields__)


def test_every_field_of_an_example_is_explained() -> None:
    for example in EXAMPLES.values():
        assert set(example) == {"what", "received_at", "request", "answer", "profile"}
        assert all(f"`{name}`" in README for name in set(example) - {"request", "answer"})
