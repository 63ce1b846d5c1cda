"""Reading the shop's pages in tests."""

import json
import re
from typing import Any

from flask.testing import FlaskClient


def data_of(client: FlaskClient, path: str) -> dict[str, Any]:
    """What a page tells its script."""
    answer = client.get("/shop" + path)
    assert answer.status_code == 200, answer.status
    found = re.search(r'<script type="application/json" id="page-data">(.*?)</script>', answer.text, re.S)
    assert found
    data: dict[str, Any] = json.loads(found[1])
    return data


def named(pushes: list[Any]) -> dict[str, Any]:
    """Pushes by name, whichever form they have."""
    return {
        (push[1] if isinstance(push, list) else push["event"]): (push[2] if isinstance(push, list) else push["ecommerce"])
        for push in pushes
    }


def add(client: FlaskClient, item_id: str, quantity: int = 1) -> None:
    answer = client.post("/shop/cart/add", data={"item_id": item_id, "quantity": quantity})
    assert answer.status_code == 303
