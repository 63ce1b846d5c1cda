import random
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from baliza.errors import BadRequest, StoreDown
from demo.shoppers import Sent, history, run, send_history

pytestmark = pytest.mark.network

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


def run_until(url: str, enough: int, per_minute: float = 3000) -> list[Sent]:
    """Let shoppers walk, fast, until so many events were sent; 20 s at most."""
    stop = threading.Event()
    seen: list[Sent] = []

    def count(sent: Sent) -> None:
        seen.append(sent)
        if len(seen) >= enough:
            stop.set()

    timer = threading.Timer(20, stop.set)
    timer.start()
    run(url, "pk_test", per_minute, 1000, random.Random(1), stop, count)
    timer.cancel()
    timer.join()
    return seen


def test_shoppers_send_what_browsers_send(baliza: Any) -> None:
    seen = run_until(baliza.url, 150)
    assert {sent.status for sent in seen} == {202}
    assert {"page_view", "view_item"} <= {sent.type for sent in seen}
    assert {body["key"] for body in baliza.bodies} == {"pk_test"}
    assert len({body["visitor"] for body in baliza.bodies}) > 5
    assert all(agent.startswith("Mozilla/5.0") for agent in baliza.user_agents)
    urls = [event["page"]["url"] for event in baliza.events if "page" in event]
    assert all(url.startswith(f"{baliza.url}/shop/") for url in urls)


def test_events_carry_the_time_of_sending(baliza: Any) -> None:
    before = datetime.now(UTC)
    run_until(baliza.url, 60)
    moments = [datetime.fromisoformat(event["occurred_at"]) for event in baliza.events]
    assert before - timedelta(seconds=1) <= min(moments)
    assert max(moments) <= datetime.now(UTC)


def test_a_view_and_its_page_are_one_request(baliza: Any) -> None:
    run_until(baliza.url, 60)
    bodies = [[event["type"] for event in body["events"]] for body in baliza.bodies]
    assert ["page_view", "view_item"] in bodies


def test_refused_events_are_sent_again(baliza: Any) -> None:
    baliza.statuses = [503, 202]
    seen = run_until(baliza.url, 80, per_minute=120)
    failed = {event["event_id"] for event in baliza.bodies[0]["events"]}
    again = [body for body in baliza.bodies[1:] if failed <= {event["event_id"] for event in body["events"]}]
    assert len(again) == 1
    assert [sent.status for sent in seen].count(503) == len(failed)


def test_shoppers_outlive_a_server_that_is_away() -> None:
    seen = run_until("http://127.0.0.1:9", 5)
    assert {sent.status for sent in seen} == {0}


def test_shoppers_see_and_click_offers(baliza: Any) -> None:
    baliza.offers = {
        "decision_id": "d-1",
        "offers": [{"item_id": item, "response_code": "RC-1"} for item in ("LAMP-1", "PHONE-1", "MOKA-1", "PEN-1")],
    }
    seen = run_until(baliza.url, 500)
    assert {"offer_shown", "offer_clicked"} <= {sent.type for sent in seen}
    assert {asked["placement"] for asked in baliza.asked} == {"home-hero", "product-detail", "cart"}
    assert all(asked["key"] == "pk_test" and asked["visitor"] for asked in baliza.asked)
    assert {"item_id" in asked for asked in baliza.asked if asked["placement"] == "product-detail"} == {True}


def test_offers_lead_to_orders_sometimes(baliza: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # Walks meet in the order of real time, so chance alone could leave everybody cold.
    for habit in ("CLICKS_TASTE", "CLICKS_OTHER", "TAKES_OFFER"):
        monkeypatch.setattr(f"demo.responses.{habit}", 1.0)
    lamp = [{"item_id": "LAMP-1", "response_code": "RC-1"}]
    baliza.offers = {"decision_id": "d-1", "offers": lamp}
    run_until(baliza.url, 1000)
    taken, orders = set[str](), 0
    for body in baliza.bodies:
        kinds = [event["type"] for event in body["events"]]
        if "offer_clicked" in kinds and "add_to_cart" in kinds:
            taken.add(body["visitor"])
        for event in body["events"]:
            bought = {item["item_id"] for item in event["items"]} if event["type"] == "purchase" else set()
            orders += body["visitor"] in taken and "LAMP-1" in bought
    assert len(taken) > 3
    assert orders > 0


def test_nobody_comes_when_none_are_asked_for(baliza: Any) -> None:
    stop = threading.Event()
    timer = threading.Timer(0.3, stop.set)
    timer.start()
    run(baliza.url, "pk_test", 0, 1, random.Random(1), stop, lambda sent: None)
    timer.join()
    assert baliza.bodies == []


def test_history_is_sent_with_the_secret_key(baliza: Any) -> None:
    batches = list(history(7, 10, random.Random(1), NOW))
    sent = send_history(baliza.url, "sk_test", batches)
    assert sent == sum(len(body["events"]) for body in baliza.bodies)
    assert [body["visitor"] for body in baliza.bodies] == [batch.body["visitor"] for batch in batches]
    assert set(baliza.authorizations) == {"Bearer sk_test"}
    assert baliza.user_agents == [batch.user_agent for batch in batches]
    assert not any("key" in body for body in baliza.bodies)


def test_history_waits_for_a_busy_server(baliza: Any) -> None:
    baliza.statuses = [503, 429, 202]
    waits: list[float] = []
    batch = next(history(7, 10, random.Random(1), NOW))
    send_history(baliza.url, "sk_test", [batch], waits.append)
    assert len(baliza.bodies) == 3
    assert waits == [1.0, 2.0]


def test_history_says_when_the_server_stays_away() -> None:
    batch = next(history(7, 10, random.Random(1), NOW))
    with pytest.raises(StoreDown, match="did not answer, 5 times"):
        send_history("http://127.0.0.1:9", "sk_test", [batch], lambda seconds: None)


def test_history_stops_at_a_refusal(baliza: Any) -> None:
    baliza.statuses = [401]
    with pytest.raises(BadRequest, match="401"):
        send_history(baliza.url, "sk_wrong", history(7, 10, random.Random(1), NOW))
