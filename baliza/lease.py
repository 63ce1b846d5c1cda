"""A lease: of several processes that could do a thing, one does it, and another takes over when it dies."""

from collections.abc import Callable
from typing import Final

from baliza.stores import RedisClient, call
from schema import keys

__all__ = ["Lease"]

# KEYS[1] lease   ARGV[1] owner  ARGV[2] ttl (ms).   Answers 1 when the lease is the owner's (taken or renewed), else 0.
# The store may be full: who empties it needs the lease.
HOLD: Final = """#!lua flags=allow-oom
local holder = redis.call('GET', KEYS[1])
-- A lease that lives longer than any is given for is of before the store's clock was set back: its holder is long gone.
if holder and holder ~= ARGV[1] and redis.call('PTTL', KEYS[1]) <= tonumber(ARGV[2]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
# KEYS[1] lease   ARGV[1] owner.   Answers 1 when the owner had it and gave it back, else 0.
RELEASE: Final = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
"""


class Lease:
    """The right of one owner to a role, for `ttl_ms` after each successful hold().

    owner: a name that no other process has. monotonic: a clock in seconds that never goes back.
    """

    def __init__(
        self, redis: RedisClient, role: str, owner: str, monotonic: Callable[[], float], ttl_ms: int = keys.LEASE_MS
    ) -> None:
        self._redis, self._key, self._owner = redis, keys.lease(role), owner
        self._monotonic, self._ttl_ms = monotonic, ttl_ms
        self._sure_until = 0.0

    def hold(self) -> bool:
        """Take the lease if it is free, renew it if it is still ours; one round trip. Raises StoreDown."""
        asked_at = self._monotonic()
        mine = bool(call(lambda: self._redis.eval(HOLD, 1, self._key, self._owner, self._ttl_ms)) == 1)
        # Counted from before the question: the server began to count later, so we stop first.
        self._sure_until = asked_at + self._ttl_ms / 1000 if mine else 0.0
        return mine

    def valid(self) -> bool:
        """True while nobody else can have the lease, as far as this process's clock tells. Asks nobody."""
        return self._monotonic() < self._sure_until

    def release(self) -> bool:
        """Give the lease back, so that another need not wait for its end. False if it was not ours. Raises StoreDown."""
        self._sure_until = 0.0
        return bool(call(lambda: self._redis.eval(RELEASE, 1, self._key, self._owner)) == 1)
