"""Stop accepting before the disk is full, while there is still room to end in order."""

import logging
from collections.abc import Callable

from baliza.errors import StoreDown
from baliza.stores import RedisClient, call

__all__ = ["DiskGuard"]

log = logging.getLogger("baliza.disk")
MIB = 1 << 20
NOTHING_BYTES = 1  # as a limit of memory: whatever needs more is refused, what is there can be read, ingest goes on


class DiskGuard:
    """Lets the embedded live store take nothing while its disk has less than `reserve_mb` free; 0: never.

    A store whose log cannot be written any more notices only after it has answered: killed before there is room, it would
    have lost what it answered last. `free_bytes` tells the room, `limit_mb` is the store's limit at other times (0: none).
    """

    def __init__(
        self,
        redis: RedisClient,
        free_bytes: Callable[[], int],
        reserve_mb: int,
        limit_mb: int,
        tell: Callable[[str], None] = log.warning,
    ) -> None:
        self._redis, self._free_bytes, self._tell = redis, free_bytes, tell
        self._reserve, self._limit = reserve_mb * MIB, limit_mb * MIB
        self.closed = False

    def look(self) -> None:
        """Close or open the store as the disk is now. One round trip at most; nothing happens while the store is away."""
        free = self._free_bytes()
        # Opened again only with room to spare, or it would go to and fro.
        low = free < self._reserve * (1.25 if self.closed else 1)
        if not (low or self.closed):
            return
        try:
            # Each time: a store that was started again has forgotten it.
            call(lambda: self._redis.config_set("maxmemory", NOTHING_BYTES if low else self._limit))
        except StoreDown:
            return
        if low != self.closed:
            self._tell(
                f"the disk has {free // MIB} MiB left: no events are taken below {self._reserve // MIB} MiB; make room"
                if low
                else "the disk has room again; events are taken"
            )
        self.closed = low
