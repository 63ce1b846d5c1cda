"""The catalogue all the way: a feed comes in at the public door, and running processes offer other things a moment later."""

import json
import time
from collections.abc import Callable, Iterator
from socket import SHUT_WR, create_connection
from urllib.request import urlopen

import httpx
import pytest

from baliza.embedded.valkey import free_port
from baliza.settings import Settings
from baliza.sites import Site
from personalizer.models.store import ModelStore
from tests.personalizer.planted import ITEMS, NOW, planted_model
from tests.personalizer.processes import answers, serving
from tests.support.waiting import wait_for

pytestmark = [pytest.mark.redis, pytest.mark.network]
SECRET = {"Authorization": "Bearer sk_demo"}
# The promise is a minute; a second is usual. Time of a loaded machine is not the catalogue's.
SOON_S = 15.0


@pytest.fixture
def url(settings: Settings, demo_site: Site) -> Iterator[str]:
    ModelStore(settings.model_dir).save("demo", planted_model(), {}, NOW)
    port = free_port()
    with serving("personalizer", settings, public_port=port, collector_workers=2):
        address = f"http://127.0.0.1:{port}"
        wait_for(lambda: answers(f"{address}/ready"), 30)
        yield address


def offered(url: str) -> dict[str, dict[str, object]]:
    """By item, of every worker: a connection of its own goes to whichever is free."""
    with urlopen(f"{url}/v1/offers?key=pk_demo&limit=10&placement=home", timeout=10) as answer:
        return {offer["item_id"]: offer for offer in json.loads(answer.read())["offers"]}


def feed(**changed: str) -> str:
    rows = {item: f"{item},{item.title()},http://shop.test/p/{item},10.00 EUR,in_stock" for item in ITEMS} | changed
    return "\n".join(["id,title,link,price,availability", *(row for row in rows.values() if row)])


def put(url: str, body: str) -> None:
    answer = httpx.put(f"{url}/v1/catalogue", content=body.encode(), headers=SECRET)
    if answer.status_code == 503:  # a store that others keep busy for seconds; who is told so asks again
        time.sleep(int(answer.headers["Retry-After"]))
        answer = httpx.put(f"{url}/v1/catalogue", content=body.encode(), headers=SECRET)
    assert answer.status_code == 200, answer.text


def soon(url: str, condition: Callable[[dict[str, dict[str, object]]], bool], in_a_row: int = 1) -> None:
    """True of so many answers in a row, before the time is up: more than one so that all processes are asked."""
    until, good = time.monotonic() + SOON_S, 0
    while good < in_a_row:
        good = good + 1 if condition(offered(url)) else 0
        assert time.monotonic() < until
        time.sleep(0.02)


def test_offers_follow_the_feed(url: str) -> None:
    soon(url, lambda offers: offers.keys() == set(ITEMS))
    put(url, feed())
    soon(url, lambda offers: offers.keys() == set(ITEMS) and {offer["price"] for offer in offers.values()} == {10.0})
    patch = httpx.patch(f"{url}/v1/catalogue", json=[{"id": "rug", "availability": "out_of_stock"}], headers=SECRET)
    assert patch.json()["changed"] == 1
    soon(url, lambda offers: "rug" not in offers, in_a_row=10)
    soon(url, lambda offers: offers.keys() == set(ITEMS) - {"rug"})
    put(url, feed(lamp="", rug="rug,Rug,http://shop.test/p/rug,12.00 EUR,in_stock"))
    soon(url, lambda offers: "lamp" not in offers, in_a_row=10)
    soon(url, lambda offers: "rug" in offers and offers["rug"]["price"] == 12.0)
    assert httpx.delete(f"{url}/v1/catalogue/torch", headers=SECRET).status_code == 204
    soon(url, lambda offers: "torch" not in offers, in_a_row=10)
    broken = httpx.put(f"{url}/v1/catalogue", content=b"<rss><channel><item>", headers=SECRET)
    assert broken.status_code == 400
    soon(url, lambda offers: offers.keys() == set(ITEMS) - {"lamp", "torch"})


def test_an_upload_that_ends_too_early_changes_nothing(url: str) -> None:
    host, port = url.removeprefix("http://").split(":")
    head = f"PUT /v1/catalogue HTTP/1.1\r\nHost: {host}\r\nAuthorization: {SECRET['Authorization']}\r\n"
    half = feed()
    ends = [f"Content-Length: {len(half) + 1}\r\n\r\n{half}", f"Transfer-Encoding: chunked\r\n\r\n{len(half):x}\r\n{half}"]
    for end in ends:
        with create_connection((host, int(port)), timeout=10) as connection:
            connection.sendall((head + end).encode())
            connection.shutdown(SHUT_WR)
            assert b" 200 " not in connection.recv(1000)
    assert httpx.get(f"{url}/v1/catalogue", headers=SECRET).json()["size"] == 0
