from typing import Any

import pytest
from flask.testing import FlaskClient

from demo.seen import session_reader
from demo.shop import create_app

VISIT: dict[str, Any] = {
    "session_id": "s-1",
    "visitor_id": "v-1",
    "customer_id": None,
    "events": 12,
    "page_views": 4,
    "landing_path": "/shop/",
    "source": "news",
    "campaign": "autumn",
    "search_term": "lamp",
    "viewed": [{"item_id": "LAMP-1"}, {"item_id": "GONE-1"}],
    "cart": {"pieces": 2, "value": "79.80", "currency": "EUR"},
    "revenue": {"EUR": "12.50"},
}


def seen_by(visitor_id: str, console_url: str = "http://console.example") -> str:
    app = create_app("pk_test", session_of={"v-1": VISIT}.get, console_url=console_url)
    client = app.test_client()
    if visitor_id:
        client.set_cookie("bz_v", visitor_id)
    return client.get("/seen").text


def test_shows_the_visit_and_the_way_to_its_story() -> None:
    page = seen_by("v-1")
    for known in ("news, campaign autumn", "4, and 12 events", "2 for 79.80 EUR", "12.50 EUR", "Table lamp Duna"):
        assert known in page
    assert 'href="http://console.example/sessions/s-1"' in page
    assert "GONE-1" not in page


def test_leads_nowhere_without_a_console() -> None:
    assert "/sessions/" not in seen_by("v-1", console_url="")


def test_says_so_when_there_is_no_visit() -> None:
    assert "Nothing yet" in seen_by("v-2")
    assert "asked not to be observed" in seen_by("")


def test_every_page_leads_there(shop: FlaskClient) -> None:
    assert 'href="/shop/seen"' in shop.get("/shop/").text


@pytest.mark.network
def test_reads_the_live_session_with_the_secret_key(baliza: Any) -> None:
    baliza.sessions["v-1"] = VISIT
    session_of = session_reader(baliza.url, "sk_test")
    assert session_of("v-1") == VISIT
    assert session_of("v-2") is None
    assert baliza.authorizations == ["Bearer sk_test"] * 2


@pytest.mark.network
def test_no_answer_is_no_visit() -> None:
    assert session_reader("http://127.0.0.1:9", "sk_test")("v-1") is None
