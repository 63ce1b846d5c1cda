"""Visitors who send through the public door as the beacon does, and write down what they were told was taken."""

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from urllib.parse import urlsplit

from tests.reliability.script import Batch, Visitor, visitor

TOGETHER = 8  # visitors whose batches one sender sends in turns
RETRY_MOST_S = 0.3
ANSWER_WITHIN_S = 10.0
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


class Crowd:
    """Starts at once; stop() lets all visitors who have begun finish. The site is `demo`.

    taken: ids answered with 202, or with 200 and not rejected. unsure: ids of batches that were sent and given up.
    repeats: ids of purchases of an order that had been taken before. wrong: answers that nobody should get.
    """

    def __init__(self, url: str, began: datetime, seed: int, *, senders: int = 3, batches_per_s: float = 100.0) -> None:
        self.began, self.seed = began, seed
        self.answers: Counter[str] = Counter()
        self.taken: set[str] = set()
        self.unsure: set[str] = set()
        self.repeats: set[str] = set()
        self.wrong: list[str] = []
        self.slowest_s = 0.0
        self.visitors = 0
        self._url, self._pause_s = url, senders / batches_per_s
        self._lock, self._stop, self._abandon = threading.Lock(), threading.Event(), threading.Event()
        self._threads = [threading.Thread(target=self._send_all, name=f"sender-{n}") for n in range(senders)]
        for thread in self._threads:
            thread.start()

    def stop(self, within_s: float = 60.0) -> None:
        """No new visitors; those who are here finish. AssertionError when they cannot."""
        self._stop.set()
        deadline = time.monotonic() + within_s
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        late = [thread.name for thread in self._threads if thread.is_alive()]
        self._abandon.set()
        for thread in self._threads:
            thread.join()
        assert not late, f"still not answered after {within_s} s: {self.answers}"

    def wait_for(self, more: int, answer: str = "202", timeout_s: float = 20.0) -> None:
        """Until so many more answers of this kind have come."""
        wanted, deadline = self.answers[answer] + more, time.monotonic() + timeout_s
        while self.answers[answer] < wanted:
            assert time.monotonic() < deadline, f"{self.answers}, {self.wrong[:3]}"
            time.sleep(0.01)

    def script(self) -> list[Visitor]:
        """All visitors who came, from their beginning."""
        return [visitor(self.seed, number, self.began) for number in range(self.visitors)]

    def _next_visitor(self) -> Visitor:
        with self._lock:
            self.visitors += 1
            return visitor(self.seed, self.visitors - 1, self.began)

    def _send_all(self) -> None:
        here = []
        with Door(self._url) as door:
            while not self._stop.is_set() or here:
                while len(here) < TOGETHER and not self._stop.is_set():
                    who = self._next_visitor()
                    here.append((who, who.batches()))
                who, batches = here.pop(0)
                batch = next(batches, None)
                if batch is None:
                    continue
                here.append((who, batches))
                self._send(door, batch, give_up=who.give_up)
                if self._abandon.is_set():
                    return
                self._stop.wait(self._pause_s)

    def _send(self, door: "Door", batch: Batch, *, give_up: bool) -> None:
        """Until it is answered, with the same ids; as often as it takes."""
        while not self._abandon.is_set():
            began = time.monotonic()
            status, body, retry_s = door.post(batch)
            with self._lock:
                self.answers[str(status or "broken")] += 1
                self.slowest_s = max(self.slowest_s, time.monotonic() - began)
                if status in (200, 202):
                    self._write_down(batch, status, body, give_up=give_up)
                    return
                if status not in (0, 429, 503):
                    self.wrong.append(f"{status} {body[:200]!r} for {batch.ids()}")
                    return
                self.unsure.update(batch.ids())
            if give_up:
                return
            self._abandon.wait(min(retry_s, RETRY_MOST_S))

    def _write_down(self, batch: Batch, status: int, body: bytes, *, give_up: bool) -> None:
        refused = {each["index"] for each in json.loads(body)["rejected"]} if status == 200 else set()
        if refused != batch.bad:
            self.wrong.append(f"{refused} refused of {batch}")
        # Of an order that was given up nobody knows which word of it was the first to be taken.
        (self.unsure if give_up else self.repeats).update(batch.repeats)
        self.taken.update(set(batch.ids()) - batch.repeats)


class Door:
    """One kept connection to the public port, opened anew when it breaks."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=ANSWER_WITHIN_S)

    def __enter__(self) -> "Door":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def post(self, batch: Batch) -> tuple[int, bytes, float]:
        """Status (0: the connection broke), body, and seconds after which to try again."""
        body: dict[str, object] = {"visitor": batch.visitor, "events": batch.events}
        headers = {"Content-Type": "text/plain", "User-Agent": AGENT}
        if batch.by_server:
            headers["Authorization"] = "Bearer sk_demo"
        else:
            body["key"] = "pk_demo"
        try:
            self._connection.request("POST", "/o", json.dumps(body), headers)
            answer = self._connection.getresponse()
            return answer.status, answer.read(), float(answer.headers.get("Retry-After", "0.1"))
        except (OSError, http.client.HTTPException):
            with suppress(OSError):
                self._connection.close()
            return 0, b"", 0.1


def send_in_order(visitors: list[Visitor], send: Callable[[Batch], int]) -> None:
    """Their whole script to somebody who is never away. AssertionError when something is not taken."""
    for who in visitors:
        for batch in who.batches():
            status = send(batch)
            assert status in (200, 202), f"{status} for {batch}"
