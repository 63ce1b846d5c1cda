"""Clients that send as fast as they are answered, on connections that they keep."""

import threading
import time
from collections import Counter
from itertools import count

from tests.support.collector import RunningCollector
from tests.support.wire import Wire, batch, post


class Load:
    """Starts at once. `taken`: ids answered with 202. `broken`: what happened to connections otherwise.

    A client that is told `Connection: close` connects anew, as any client does; with `reconnect` False it ends there.
    """

    def __init__(self, running: RunningCollector, clients: int, *, reconnect: bool = True, keep_alive: bool = True) -> None:
        self._url, self._reconnect, self._keep_alive = running.url, reconnect, keep_alive
        self.answers: Counter[int] = Counter()
        self.taken: set[str] = set()
        self.broken: list[str] = []
        self.refused = 0  # connections that were not taken
        self.slowest_s = 0.0
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._client, args=(f"load-{number}",)) for number in range(clients)]
        for thread in self._threads:
            thread.start()

    def _client(self, name: str) -> None:
        numbers = count()
        while not self._stop.is_set():
            try:
                wire = Wire(self._url)
            except OSError:
                with self._lock:
                    self.refused += 1
                return
            with wire:
                self._talk(wire, name, numbers)
            if not self._reconnect:
                return

    def _talk(self, wire: Wire, name: str, numbers: "count[int]") -> None:
        headers = () if self._keep_alive else ("Connection: close",)
        while not self._stop.is_set():
            number = next(numbers)
            event_id, visitor = f"{name}-{number}", f"{name}-{number // 100}"  # no visitor sends without end
            began = time.monotonic()
            try:
                answer = wire.ask(post(batch(event_id, visitor=visitor), *headers))
            except OSError as error:
                with self._lock:
                    self.broken.append(f"{event_id}: {error!r}")
                return
            with self._lock:
                self.answers[answer.status] += 1
                self.slowest_s = max(self.slowest_s, time.monotonic() - began)
                if answer.status == 202:
                    self.taken.add(event_id)
            if answer.headers.get("connection") == "close":
                return

    def wait_for(self, more: int, status: int = 202, timeout_s: float = 10.0) -> None:
        """Until so many more answers of this status have come."""
        wanted, deadline = self.answers[status] + more, time.monotonic() + timeout_s
        while self.answers[status] < wanted:
            assert time.monotonic() < deadline, f"{self.answers}, broken: {self.broken[:3]}"
            time.sleep(0.005)

    def stop(self) -> Counter[int]:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        return self.answers
