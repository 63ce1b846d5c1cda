"""Log-in tries are few: per name and network, and per network, counted in the live store for a minute."""

import hashlib
import ipaddress
from typing import Final

from baliza.stores import RedisClient, call

__all__ = ["TRIES_PER_NAME", "TRIES_PER_NETWORK", "WINDOW_S", "forget_tries", "network_of", "seconds_to_wait"]

TRIES_PER_NAME: Final = 5
TRIES_PER_NETWORK: Final = 30
WINDOW_S: Final = 60


def seconds_to_wait(redis: RedisClient, name: str, address: str) -> int:
    """Count a try; 0 when it may go on, else the seconds until one may. Counted before the password is looked at, so that
    many tries at once gain nothing. Raises StoreDown."""
    keys = _keys(name, address)
    with redis.pipeline(transaction=True) as pipe:
        for key in keys:
            pipe.set(key, 0, nx=True, ex=WINDOW_S)
            pipe.incr(key)
            pipe.ttl(key)
        answers = call(pipe.execute)
    waits = [
        max(1, ttl)
        for tries, ttl, most in zip(answers[1::3], answers[2::3], (TRIES_PER_NAME, TRIES_PER_NETWORK), strict=True)
        if tries > most
    ]
    return max(waits, default=0)


def forget_tries(redis: RedisClient, name: str, address: str) -> None:
    """After the right password: the name starts anew. The network's count stays."""
    call(lambda: redis.delete(_keys(name, address)[0]))


def network_of(address: str) -> str:
    """The /24 or /64 of an address: what one attacker has at hand. What is no address (a socket's name) stays as it is."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    length = 24 if parsed.version == 4 else 64
    return str(ipaddress.ip_network(f"{parsed}/{length}", strict=False))


def _keys(name: str, address: str) -> tuple[str, str]:
    # Hashed: names are as long as somebody likes to send, and networks are nobody's business.
    network = network_of(address)
    # One hash tag: both are counted in one transaction, which on a cluster is one slot's.
    return tuple(f"{{baliza:tries}}:{_short(part)}" for part in (f"{name}\0{network}", network))  # type: ignore[return-value]


def _short(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
