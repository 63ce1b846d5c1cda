"""From an answer of the personalizer to the report on it: through the live store, the collector, ingest and the carrier."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from decimal import Decimal

import pytest

from baliza.lease import Lease
from baliza.settings import Settings
from baliza.stores import History, RedisClient
from personalizer.feedback.carrier import Carrier
from personalizer.feedback.log import DecisionLog
from personalizer.feedback.report import Answered, read_answers
from tests.personalizer.feedback.told import NOW, START, offered
from tests.support.collecting import Shop, event
from tracker.ingest import Ingest

pytestmark = [pytest.mark.redis, pytest.mark.clickhouse]
PERSON = {"user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}
BOT = {"user-agent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"}
MINUTE = timedelta(minutes=1)


@pytest.fixture
def log(redis_client: RedisClient) -> Iterator[DecisionLog]:
    with closing(DecisionLog(redis_client, 8, 1_000)) as found:
        yield found


@pytest.fixture
def read(
    shop: Shop, log: DecisionLog, settings: Settings, redis_client: RedisClient, history: History
) -> Callable[[], dict[str, Answered]]:
    """Placement → what became of its offers, once everything on its way has arrived."""
    lease = Lease(redis_client, "ingest-0", "one", time.monotonic)
    ingest = Ingest(settings, redis_client, history, lease, "one", lambda: int(time.time() * 1000))
    carrier = Carrier(redis_client, history, 8)

    def arrived() -> dict[str, Answered]:
        log.close()
        carrier.step()
        while ingest.step():
            pass
        return {found.placement: found for found in read_answers(history, "demo", START - MINUTE, NOW)}

    shop.now = START + MINUTE
    return arrived


def test_browsers_servers_and_mail_tell_of_offers_at_the_same_door(
    shop: Shop, log: DecisionLog, read: Callable[[], dict[str, Answered]]
) -> None:
    log.write(offered("d-1", "bulb rug", placement="cart"))
    log.write(offered("d-2", "case", placement="email", visitor_id="v-2"))
    log.write(offered("d-3", "lamp", placement="home", visitor_id="robot"))
    seen = event("offer_shown", START, items=["bulb", "rug"], decision_id="d-1", placement="cart")
    shop.send(seen, event("offer_clicked", START, item="bulb", decision_id="d-1"), headers=PERSON)
    shop.send(seen, headers=PERSON)  # its answer was lost, so it came again
    # What a mail program saw, told by the shop's server.
    for kind in ("offer_shown", "offer_clicked"):
        shop.send_as_server(event(kind, START, item="case", decision_id="d-2"), visitor="v-2")
    order = event("purchase", START + MINUTE, items=[("bulb", "Light", 4.5, 2)], transaction_id="T-1")
    shop.send_as_server(order, visitor="v-1")
    shop.send(event("offer_clicked", START, item="lamp", decision_id="d-3"), visitor="robot", headers=BOT)
    found = read()
    assert set(found) == {"cart", "email"}
    cart, email = found["cart"], found["email"]
    assert (cart.decided, cart.shown, cart.clicked, cart.bought) == (2, 2, 1, 1)
    assert cart.earned == {"EUR": Decimal(9)}
    assert (email.decided, email.shown, email.clicked, email.bought) == (1, 1, 1, 0)


def test_who_has_not_consented_leaves_no_trace(
    shop: Shop, log: DecisionLog, read: Callable[[], dict[str, Answered]], history: History
) -> None:
    log.write(offered("d-1", "bulb", visitor_id=""))
    shown = event("offer_shown", START, item="bulb", decision_id="d-1", consent="denied")
    shop.send(shown, headers=PERSON)
    assert read() == {}
    assert history.rows("SELECT count() FROM responses") == history.rows("SELECT count() FROM decisions") == [(0,)]
