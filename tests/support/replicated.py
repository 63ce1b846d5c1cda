"""A live store with one replica."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from redis import Redis

from baliza.embedded.valkey import EmbeddedValkey
from tests.support.live_shop import until

__all__ = ["pair"]


@contextmanager
def pair(folder: Path) -> Iterator[tuple[EmbeddedValkey, EmbeddedValkey]]:
    """A master and its replica, which has all that the master has."""
    master = EmbeddedValkey(folder / "master")
    master.start()
    options = {"replicaof": f"127.0.0.1 {master.port}", "masterauth": master.password, "repl-diskless-sync-delay": "0"}
    replica = EmbeddedValkey(folder / "replica", options=options)
    try:
        replica.start()
        with Redis.from_url(replica.url) as client:
            until(lambda: client.info("replication")["master_link_status"] == "up")
        yield master, replica
    finally:
        replica.kill()
        master.kill()
