"""Whose addresses offers may carry: one visitor's word is not enough to show shoppers something from elsewhere. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

__all__ = ["Hosts", "Word", "host_of"]

SEVERAL: Final = 1.5  # voters are estimated; more than this are two or more
ENOUGH: Final = 2.5  # whatever the host
USUAL: Final = 0.1  # share of the items

# An address (cleaned, or empty) and how many visitors said it; inf when a server did.
Word = tuple[str, float]


@dataclass(frozen=True)
class Hosts:
    """own: of the site, and all below them. usual: those of many of the items of which several visitors said the same."""

    own: tuple[str, ...]
    usual: frozenset[str]

    @classmethod
    def of(cls, origins: Sequence[str], said: Iterable[Word]) -> "Hosts":
        """Of the site's origins, and of what was said of its items."""
        own = [urlsplit(origin).hostname or "" for origin in origins]
        counts = Counter(host_of(address) for address, voters in said if address and voters > SEVERAL)
        least = USUAL * counts.total()
        return cls(
            tuple(host.removeprefix("www.") for host in own if host),
            frozenset(host for host, times in counts.items() if times >= least),
        )

    def taken(self, word: Word) -> str:
        """The address if shoppers may be sent there; else empty."""
        address, voters = word
        if not address or voters > ENOUGH:
            return address
        host = host_of(address)
        known = host in self.usual or any(host == own or host.endswith(f".{own}") for own in self.own)
        return address if known else ""


def host_of(address: str) -> str:
    """The host of a cleaned address, without its port."""
    return (address.split("/", 3)[2] if address else "").partition(":")[0].lower()
