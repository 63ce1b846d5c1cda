"""Every Redis key. One place to grep, one place to see what lives how long.

A visitor's keys and the stream they append to carry the partition's hash tag, so that one FCALL touches one cluster slot.

| key                          | type   | what                                                        | lives             |
|------------------------------|--------|-------------------------------------------------------------|-------------------|
| {pN}:v:<site>:<visitor>      | string | visitor profile: live session, the last event ids           | VISITOR_TTL_MS    |
| {pN}:seen:<site>:<visitor>   | set    | hashes of the event ids taken, older than those             | 2 dedupe          |
| {pN}:seen1:<site>:<visitor>  | set    | the same, of the time before                                | dedupe            |
| {pN}:events                  | stream | accepted events, one entry a request                        | until in history  |
| {pN}:quarantine              | stream | rejected events with their reason                           | QUARANTINE_…      |
| {pN}:quarantine:tally        | hash   | bytes in it; how many were thrown out, and how many aged;   | for ever          |
|                              |        | why:<id>, the latest reason of one that was refused again   |                   |
| {pN}:unstored                | stream | accepted entries that the history will not have, and why    | until put back    |
| {pN}:decisions               | stream | answers of the personalizer with their propensities         | until in history  |
| {pN}:carts:<site>            | zset   | visitor → last cart change (ms); carts with something in    | until bought      |
| {pN}:abandoned:<site>        | zset   | visitor → time (ms) at which the cart was found abandoned   | until it changes  |
| {pN}:orders:<site>           | hash   | order id → + when counted, - when an untrusted browser said | for ever          |
|                              |        | it (pN = partition of the order id)                         |                   |
| {pN}:c:<site>:<customer>     | hash   | customer: time of the last purchase in any session; last    | VISITOR_TTL_MS    |
|                              |        | visitor known to be them, and when                          |                   |
| {pN}:catalogue:<site>        | hash   | item id → row of the catalogue (pN = partition of the item) | until removed     |
| {pN}:catalogue:log:<site>    | stream | ids of the items that changed, newest CATALOGUE_LOG entries | until pushed out  |
| baliza:catalogue:<site>      | hash   | epoch, change (a counter: look again), complete, when       | for ever          |
| baliza:sites, :users, :tokens| hash   | the registry: name → JSON                                   | for ever          |
| {baliza:lease:ingest-<n>}:manifest | string | the batch that ingest worker n is writing             | one batch         |
| baliza:braked:<n>            | string | why ingest worker n carries nothing                         | BRAKED_MS         |
| baliza:lease:<role>          | string | which process has the role                                  | LEASE_MS          |
| {pN}:mark                    | string | empty; written before WAIT, which waits for writes only     | for ever          |
"""

from binascii import b2a_base64
from hashlib import blake2b
from typing import Final
from zlib import crc32

VISITOR_TTL_MS: Final = 30 * 24 * 3600 * 1000
DEDUPE_MIN_MS: Final = 24 * 3600 * 1000
LEASE_MS: Final = 10_000
BRAKED_MS: Final = 120_000  # said again at each try
QUARANTINE_MAX_ENTRIES: Final = 1_000  # per partition; newest kept
QUARANTINE_MAX_BYTES: Final = 2 * 1024 * 1024  # per partition
QUARANTINE_MAX_AGE_MS: Final = 30 * 24 * 3600 * 1000
CATALOGUE_LOG: Final = 256  # entries per partition and site; who is further behind reads the partition whole
ORDER_SETTLED: Final = "+"  # the value of an order that is counted; until then it is who claimed it and when
ORDER_HEARSAY: Final = "-"  # the same for one of which only a sender spoke who is not trusted about money

_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")
SITES: Final = "baliza:sites"
USERS: Final = "baliza:users"
TOKENS: Final = "baliza:tokens"
INSTALLED: Final = "baliza:installed"  # hash: what is fixed at install, e.g. partitions


def partition_of(name: str, partitions: int) -> int:
    """The partition of a visitor (or order, or customer): stable over processes and versions."""
    return crc32(name.encode()) % partitions


def visitor(partition: int, site: str, visitor_id: str) -> str:
    return f"{{p{partition}}}:v:{site}:{visitor_id}"


def seen(partition: int, site: str, visitor_id: str) -> str:
    return f"{{p{partition}}}:seen:{site}:{visitor_id}"


def seen_before(partition: int, site: str, visitor_id: str) -> str:
    return f"{{p{partition}}}:seen1:{site}:{visitor_id}"


def events(partition: int) -> str:
    return f"{{p{partition}}}:events"


def quarantine(partition: int) -> str:
    return f"{{p{partition}}}:quarantine"


def quarantine_tally(partition: int) -> str:
    return f"{{p{partition}}}:quarantine:tally"


def unstored(partition: int) -> str:
    return f"{{p{partition}}}:unstored"


def decisions(partition: int) -> str:
    return f"{{p{partition}}}:decisions"


def carts(partition: int, site: str) -> str:
    return f"{{p{partition}}}:carts:{site}"


def abandoned(partition: int, site: str) -> str:
    return f"{{p{partition}}}:abandoned:{site}"


def orders(partition: int, site: str) -> str:
    return f"{{p{partition}}}:orders:{site}"


def customer(partition: int, site: str, customer_id: str) -> str:
    return f"{{p{partition}}}:c:{site}:{customer_id}"


def catalogue(partition: int, site: str) -> str:
    return f"{{p{partition}}}:catalogue:{site}"


def catalogue_log(partition: int, site: str) -> str:
    return f"{{p{partition}}}:catalogue:log:{site}"


def catalogue_state(site: str) -> str:
    return f"baliza:catalogue:{site}"


def manifest(worker: int) -> str:
    # In the slot of the worker's lease, so that one function can look at both.
    return f"{{{lease(f'ingest-{worker}')}}}:manifest"


def braked(worker: int) -> str:
    return f"baliza:braked:{worker}"


def lease(role: str) -> str:
    return f"baliza:lease:{role}"


def tag(partition: int) -> str:
    """What stands between the braces of all keys of a partition."""
    return f"p{partition}"


def mark(tag: str) -> str:
    """Of a hash tag such as p17: a key in its slot that holds nothing, to be written before replicas are waited for."""
    return f"{{{tag}}}:mark"


def event_hash(site: str, visitor_id: str, event_id: str) -> bytes:
    """11 characters (64 bits) that stand for an event id of this visitor in the dedupe set and name the session it opens."""
    return hash_behind(hash_of_visitor(site, visitor_id), event_id)


def hash_of_visitor(site: str, visitor_id: str) -> blake2b:
    """The beginning of event_hash() for all events of a visitor."""
    return blake2b(f"{site}\0{visitor_id}\0".encode(), digest_size=8)


def hash_behind(begun: blake2b, event_id: str) -> bytes:
    """event_hash(), from hash_of_visitor() on."""
    digest = begun.copy()  # a third cheaper than a new one
    digest.update(event_id.encode())
    return b2a_base64(digest.digest())[:11].translate(_URL_SAFE)
