"""Whatever dies while events of all kinds come in: in the end every one of them is accounted for."""

import json
import os
import random
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import psutil
import pytest

from baliza.settings import Settings
from baliza.stores import History
from tests.reliability.services import Services
from tests.reliability.truth import PARTITIONS, stored_ids
from tests.support.collecting import event
from tests.support.product import wait_for
from tracker.receipts import Line, read_receipts, total

pytestmark = [pytest.mark.network, pytest.mark.redis, pytest.mark.clickhouse]

LONG_S = float(os.environ.get("BALIZA_TEST_RECEIPTS_S", "60"))
PERSON = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
BOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


class Mixture:
    """Sends until told to stop, each batch again until it is answered. `sent`: events, each time that they were."""

    def __init__(self, url: str, seed: int) -> None:
        self.answered = self.sent = 0
        self.taken: set[str] = set()
        self._url, self._random = url, random.Random(seed)
        self._stop = threading.Event()
        self._known: dict[str, list[dict[str, Any]]] = {}
        self._thread = threading.Thread(target=self._send, name="mixture")
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(60)
        assert not self._thread.is_alive()

    def _send(self) -> None:
        while not self._stop.is_set():
            visitor = f"v-{self._random.randrange(20)}"
            events = [self._event(visitor) for _ in range(self._random.randrange(1, 5))]
            headers = {"User-Agent": self._random.choice((PERSON, PERSON, BOT)), "Content-Type": "text/plain"}
            if self._random.random() < 0.1:
                headers["DNT"] = "1"
            while not self._post({"key": "pk_demo", "visitor": visitor, "events": events}, headers):
                time.sleep(0.05)
            if "DNT" not in headers:
                good = [each for each in events if "colour" not in each and each.get("consent") != "denied"]
                self.taken |= {str(each["event_id"]) for each in good if each["type"] != "purchase"}
                self._known[visitor] = [*self._known.get(visitor, []), *good][-20:]

    def _event(self, visitor: str) -> dict[str, Any]:
        dice = self._random.random()
        if dice < 0.15 and self._known.get(visitor):
            return self._random.choice(self._known[visitor])
        given: dict[str, Any] = {"event_id": uuid4().hex, "at": datetime.now(UTC)}
        if dice < 0.25:
            given["consent"] = "denied"
        elif dice < 0.35:
            given["colour"] = "red"
        elif dice < 0.4:
            return event("purchase", item="A", transaction_id=f"T-{self._random.randrange(30)}", **given)
        return event(**given)

    def _post(self, body: object, headers: Mapping[str, str]) -> bool:
        events = len(body["events"])  # type: ignore[index]
        self.sent += events
        asked = urllib.request.Request(f"{self._url}/o", json.dumps(body).encode(), dict(headers))
        try:
            with urllib.request.urlopen(asked, timeout=5):
                pass
        except urllib.error.HTTPError as error:
            with error:
                if error.code >= 500:
                    return False
        except OSError:
            return False
        self.answered += events
        return True


def kill_a_worker(services: Services) -> None:
    workers = psutil.Process(services.process.pid).children()
    with suppress(psutil.NoSuchProcess, IndexError):
        workers[0].kill()


def kill_ingest(services: Services) -> None:
    services.kill_ingest()
    services.start_ingest()


def kill_the_live_store(services: Services) -> None:
    services.valkey.kill()
    services.valkey.start()


def kill_the_history(services: Services) -> None:
    services.engine.kill()
    services.engine.start()


def sums(services: Services) -> Line:
    now = datetime.now(UTC)
    settings = Settings(partitions=PARTITIONS)
    history = History(lambda: services.client)
    found = read_receipts(services.redis, history, settings, now - timedelta(hours=2), now)
    assert found.sound, found
    return total(found.lines)


def hold_through(services: Services, seconds: float, seed: int) -> None:
    kills = (kill_a_worker, kill_ingest, kill_the_live_store, kill_ingest, kill_a_worker, kill_the_history)
    until, number = time.monotonic() + seconds, 0
    mixture = Mixture(services.url, seed)
    try:
        while number < len(kills) or time.monotonic() < until:
            answered = mixture.answered
            wait_for(lambda answered=answered: mixture.answered > answered + 20, 30, services.log.read_text)  # type: ignore[misc]
            kills[number % len(kills)](services)
            number += 1
    finally:
        mixture.stop()
    services.until_nothing_waits()
    found = sums(services)
    assert found.received == sum((found.stored, found.bot, found.duplicate, found.consent, found.rejected, found.waiting))
    # What was not answered may have been received all the same.
    assert mixture.answered <= found.received <= mixture.sent
    stored = stored_ids(services.client)
    assert len(stored) == len(set(stored)) == found.stored + found.bot
    assert mixture.taken <= set(stored)
    for name in ("stored", "bot", "duplicate", "consent", "rejected"):
        assert getattr(found, name) > 0, f"nothing was {name}: nothing was tried"
    assert found.waiting == 0


@pytest.mark.long
@pytest.mark.timeout(LONG_S + 300)
def test_whatever_is_killed_every_event_is_accounted_for(services: Services) -> None:
    hold_through(services, LONG_S, seed=1)
