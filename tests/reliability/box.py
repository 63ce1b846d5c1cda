"""`baliza up` with the site demo, and the hand that kills its processes."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
from clickhouse_driver import Client
from redis import Redis

from baliza.embedded.valkey import EmbeddedValkey
from baliza.sites import add_site
from tests.support.product import Product, wait_for


class Box(Product):
    """The whole product, ready to take events of the site `demo` (pk_demo, sk_demo, any origin)."""

    def open(self) -> None:
        """Start it, with the site in its live store from before, so that no worker has to hear of it."""
        self.env["BALIZA_COLLECTOR_WORKERS"] = "2"
        before = EmbeddedValkey(self.data / "valkey")
        before.start()
        with Redis.from_url(before.url) as redis:
            add_site(redis, "demo", ["*"], publishable_key="pk_demo", secret_key="sk_demo")
        before.stop()
        self.start()

    def processes_of(self, part: str) -> list[psutil.Process]:
        """The process of a part, its workers behind it; empty while it is away."""
        words = {
            "public": "serve public",
            "ingest": "serve ingest",
            "console": "serve console",
            "valkey": "valkey-server",
            "clickhouse": "baliza.embedded.clickhouse",
        }[part]
        assert self.process is not None
        for child in psutil.Process(self.process.pid).children():
            try:
                if words in " ".join(child.cmdline()) and child.status() != psutil.STATUS_ZOMBIE:
                    return [child, *child.children()]
            except psutil.NoSuchProcess:
                continue
        return []

    def kill(self, victim: str) -> None:
        """kill -9, as soon as there is something to kill: "worker", "master" or the name of a part."""
        part = "public" if victim in ("worker", "master") else victim
        found: list[psutil.Process] = wait_for(
            lambda: len(them := self.processes_of(part)) > (victim == "worker") and them, 30, lambda: self.output
        )
        (found[-1] if victim == "worker" else found[0]).kill()

    def until_well(self, timeout_s: float = 60.0) -> None:
        wait_for(lambda: self.ready() == (200, 200), timeout_s, lambda: f"{self.ready()} {self.output}")

    def until_nothing_waits(self, timeout_s: float = 60.0) -> None:
        """Until every accepted event is in the history."""
        wait_for(lambda: self.waiting() == 0, timeout_s, lambda: f"{self.waiting()} entries wait: {self.log_of('ingest')}")

    def log_of(self, service: str) -> str:
        return (self.data / "logs" / f"{service}.log").read_text()[-3000:]

    @contextmanager
    def stores(self) -> Iterator[tuple[Redis, Client]]:
        """Its live store and its history."""
        urls = self.endpoints()
        client = Client.from_url(urls["clickhouse_url"])
        with Redis.from_url(urls["redis_url"]) as redis:
            yield redis, client
        client.disconnect()

    def end(self) -> None:
        """Whatever state it is in, nothing of it is left."""
        if self.process is None or self.process.poll() is not None:
            return
        everything = psutil.Process(self.process.pid).children(recursive=True)
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for each in everything:
            if each.is_running():
                each.kill()
