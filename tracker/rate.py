"""How much a sender may send: events a minute, with room for bursts. Over that: 429, and when to come back.

On the hot path, so a sender is one number in a dict: the moment at which all that it sent would be through at the steady
rate (the generic cell rate algorithm of ITU-T I.371). Pure: the time is an argument. One thread, so no lock; each worker
process counts for itself.
"""

import ipaddress
from collections.abc import Hashable
from functools import lru_cache
from itertools import count
from math import ceil
from typing import Final

from baliza.errors import TooManyEvents
from baliza.settings import Settings
from schema.events import MAX_EVENTS_PER_BATCH

__all__ = ["RateLimit", "RateLimits"]

MOST_SENDERS: Final = 20_000
YOUNGEST_MS: Final = 10_000  # a generation lasts this long at least, for changing it costs time
# All of a network are refused until the same moment: they are told to come back spread over this many seconds.
SPREAD_S: Final = 10
# Nobody comes from the internet with these: it is a load balancer, a container's gateway, or this box, and behind it may be
# all the shop's visitors.
_OWN_NETWORKS: Final = tuple(
    ipaddress.ip_network(text)
    for text in (
        "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "::/48",
        "fc00::/7", "fe80::/10",
    )
)  # fmt: skip


class RateLimit:
    """One limit for many senders. A batch is let in as long as there is room for one event, and then counts as a whole, so
    that none is too large for ever; what it was over is waited for.

    Senders that were silent long enough are forgotten, in two generations; of more than twice `most_senders` at once those
    who were silent longest, which errs on the side of the sender.
    """

    def __init__(self, per_minute: int, burst: int, most_senders: int = MOST_SENDERS) -> None:
        self._each_ms = 60_000 / per_minute
        self._room_ms = (burst - 1) * self._each_ms
        self._most_ms = self._room_ms + (MAX_EVENTS_PER_BATCH + 1) * self._each_ms
        self._age_ms = max(self._most_ms, YOUNGEST_MS)
        self._most_senders = most_senders
        self._young: dict[Hashable, float] = {}
        self._old: dict[Hashable, float] = {}
        self._aged_ms = 0

    @property
    def remembered(self) -> int:
        """How many senders are remembered, at most."""
        return len(self._young) + len(self._old)

    def take(self, sender: Hashable, events: int, now_ms: int) -> float:
        """0 when the events are let in and counted, else after how many milliseconds they would be; then none is counted."""
        young = self._young
        through_ms = young.get(sender) or self._old.get(sender, 0.0)
        # Further ahead than ever possible: the clock was set back.
        ahead_ms = through_ms - now_ms
        if not 0.0 < ahead_ms <= self._most_ms:
            through_ms = now_ms
        elif ahead_ms > self._room_ms:
            young[sender] = through_ms  # who keeps asking is not forgotten for it
            return ahead_ms - self._room_ms
        young[sender] = through_ms + events * self._each_ms
        if len(young) > self._most_senders or not 0 <= now_ms - self._aged_ms <= self._age_ms:
            self._old, self._young, self._aged_ms = young, {}, now_ms
        return 0.0

    def add(self, sender: Hashable, events: int, now_ms: int) -> None:
        """Count events of a sender who was just let in with some."""
        self._young[sender] = (self._young.get(sender) or self._old.get(sender, now_ms)) + events * self._each_ms


class RateLimits:
    """All limits of one collector process. Senders with the publishable key are counted by visitor and by network, those
    with the secret key by site. Of an address the network is kept, of a visitor a hash; in memory only.
    """

    def __init__(self, settings: Settings) -> None:
        per_visitor, per_network = settings.visitor_events_per_minute, settings.network_events_per_minute
        per_server = settings.server_events_per_minute
        self._visitors = RateLimit(per_visitor, settings.visitor_burst) if per_visitor else None
        self._networks = RateLimit(per_network, settings.network_burst) if per_network else None
        self._servers = RateLimit(per_server, per_server) if per_server else None
        self._visitor_words = f"{per_visitor} events a minute from one visitor"
        self._network_words = f"{per_network} events a minute from one network"
        self._server_words = f"{per_server} events a minute of one site with the secret key"
        self._refusals = count()

    def check_network(self, network: str, now_ms: int) -> None:
        """Before a body is decoded: raises TooManyEvents over the limit. What follows counts as one event, even garbage."""
        if self._networks and limited(network) and (wait_ms := self._networks.take(network, 1, now_ms)):
            raise _too_many(self._network_words, wait_ms + next(self._refusals) * 1000 % (SPREAD_S * 1000))

    def count_browser(self, site: str, visitor: str, network: str, events: int, now_ms: int) -> None:
        """A decoded batch of a visitor, after check_network. Raises TooManyEvents."""
        if events > 1 and self._networks and limited(network):
            self._networks.add(network, events - 1, now_ms)
        if self._visitors and (wait_ms := self._visitors.take(hash((site, visitor)), events, now_ms)):
            raise _too_many(self._visitor_words, wait_ms)

    def count_server(self, site: str, events: int, now_ms: int) -> None:
        """A decoded batch of a site's server. Raises TooManyEvents."""
        if self._servers and (wait_ms := self._servers.take(site, events, now_ms)):
            raise _too_many(self._server_words, wait_ms)


@lru_cache(maxsize=8192)
def limited(network: str) -> bool:
    """False for what is no network of the internet, and for none at all (an address that could not be read)."""
    if not network:
        return False
    found = ipaddress.ip_network(network)
    return not any(found.version == own.version and found.subnet_of(own) for own in _OWN_NETWORKS)  # type: ignore[arg-type]


def _too_many(words: str, wait_ms: float) -> TooManyEvents:
    seconds = max(1, ceil(wait_ms / 1000))
    return TooManyEvents(f"expected at most {words}, got more; come back in {seconds} s", seconds)
