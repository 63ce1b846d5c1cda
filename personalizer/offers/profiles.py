"""What offers need of the live store: the site of a key, a visitor's profile. Not waited for while the store is away."""

import logging
from collections.abc import Callable, Sequence

import msgspec

from baliza.errors import StoreDown
from baliza.sites import SiteRegistry
from baliza.stores import RedisClient, call
from personalizer.offers.breaker import Breaker
from schema import keys
from schema.profile import VisitorProfile, decode_profile

__all__ = ["KnownSites", "ProfileReader", "read_profile"]


log = logging.getLogger("baliza.profiles")


class KnownSites:
    """The registry for offers: the one last known serves while the store is away, and nobody waits for a newer one."""

    def __init__(self, registry: Callable[[], SiteRegistry], redis: RedisClient, breaker: Breaker) -> None:
        self._registry, self._redis, self._breaker = registry, redis, breaker
        self._known: SiteRegistry | None = None

    def __call__(self) -> SiteRegistry:
        """The registry. Raises StoreDown if it was never read."""
        try:
            if not self._breaker.healthy():
                # The registry hides a failure behind what it knows, so it cannot tell whether the store is back.
                self._breaker.run(lambda: call(self._redis.ping))
            self._known = self._breaker.run(self._registry)
        except StoreDown:
            if self._known is None:
                raise
        return self._known


class ProfileReader:
    """Reads profiles; for any thread."""

    def __init__(self, redis: RedisClient, partitions: int, breaker: Breaker) -> None:
        self._redis, self._partitions, self._breaker = redis, partitions, breaker

    def read(self, key: str) -> bytes | None:
        """What is stored under a key. Raises StoreDown, at once when the store was down just now."""
        stored: bytes | None = self._breaker.run(lambda: call(lambda: self._redis.get(key)))
        return stored

    def visitors_of(self, site: str, customer_ids: Sequence[str]) -> list[str | None]:
        """On whose browser each was known last, in one round trip; None where nobody was lately. Raises StoreDown."""
        pipeline = self._redis.pipeline(transaction=False)
        for customer_id in customer_ids:
            pipeline.hget(keys.customer(keys.partition_of(customer_id, self._partitions), site, customer_id), "visitor")
        found: list[bytes | None] = call(pipeline.execute)
        return [raw.decode() if raw else None for raw in found]

    def read_many(self, site: str, visitor_ids: Sequence[str]) -> list[VisitorProfile | None]:
        """Their profiles, in one round trip. Raises StoreDown."""
        pipeline = self._redis.pipeline(transaction=False)
        for visitor_id in visitor_ids:
            pipeline.get(keys.visitor(keys.partition_of(visitor_id, self._partitions), site, visitor_id))
        stored: list[bytes | None] = call(pipeline.execute)
        return [read_profile(raw) for raw in stored]


def read_profile(stored: bytes | None) -> VisitorProfile | None:
    """The stored profile, None when there is none that this program understands."""
    if stored is None:
        return None
    try:
        return decode_profile(stored)
    except msgspec.MsgspecError as error:
        log.error("a profile cannot be read and is passed over: %s", error)
        return None
