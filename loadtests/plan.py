"""How much of everything a rate of events needs: python -m loadtests.plan prints the tables of docs/scaling.md. Pure.

Measured figures are multiplied, nothing else; what is assumed stands in one place, and is printed.
"""

import math
from dataclasses import dataclass, replace
from typing import Final

__all__ = [
    "HUGE",
    "LARGE",
    "MEASURED",
    "Assumed",
    "Measured",
    "Part",
    "assumptions",
    "masters",
    "measured_table",
    "parts",
    "shards",
    "table",
    "words_of_assumptions",
]

GB: Final = 1e9
MONTH_S: Final = 30 * 86_400


@dataclass(frozen=True)
class Measured:
    """Of one event, on one core of the machine in docs/performance.md: one event a request, answered when a replica has it.

    Of `python -m loadtests.clustered`, the times at 64 in flight; what offers cost of `python -m loadtests.offers_report`.
    """

    collector_us: float = 121.5
    master_us: float = 74.9
    replica_us: float = 18.2
    ingest_us: float = 88.0
    history_us: float = 11.5
    offer_us: float = 905.0
    request_bytes: int = 697
    log_bytes: int = 1_500  # of the append-only log, and about as many go to each replica
    waiting_bytes: int = 684
    visitor_bytes: int = 1_145
    history_bytes: int = 112  # sessions included; the demo's data, which is like itself


MEASURED: Final = Measured()


@dataclass(frozen=True)
class Assumed:
    """What nobody measured: the shop, the room to spare, the prices."""

    peak: int  # events a second
    visitors: float  # in the live store at once: whoever came within 30 days
    days: int  # that the history keeps events
    partitions: int
    average: float = 1 / 3  # of the peak, over a day
    busy: float = 0.5  # of a core at the peak: the rest is for the failure of a neighbour
    outage_s: int = 3600  # that the live store can hold events while the history is away
    replicas: int = 2  # of each master
    spare_memory: float = 1.3  # fragmentation, copies while the log is rewritten
    memory_each: float = 64.0  # GB of one live store process, at most
    copies: int = 2  # of each shard of the history
    bytes_factor: float = 2.0  # real shops' events take so much more room than the demo's
    disk_each: float = 16_000.0  # GB of one history server, at most
    offers: float = 0.2  # requests for offers an event
    core: float = 25.0  # $ a month: one core with 2 GB
    memory: float = 4.0  # $ a month: a GB of memory beyond that
    disk: float = 0.08  # $ a month: a GB of SSD
    traffic: float = 0.02  # $ a GB between zones, both directions


LARGE: Final = Assumed(peak=10_000, visitors=290e6, days=395, partitions=256)
HUGE: Final = Assumed(peak=1_000_000, visitors=2e9, days=90, partitions=4096)


@dataclass(frozen=True)
class Part:
    """One row: how many processes or servers, and what all of them together need. memory and disk in GB, network in MB/s."""

    name: str
    count: int
    cores: float
    memory: float
    disk: float
    network: float
    crossing: float  # MB/s of the network that go to another zone

    def cost(self, given: Assumed) -> float:
        """$ a month."""
        moved = self.crossing * 1e6 * given.average * MONTH_S / GB * given.traffic
        extra = max(0.0, self.memory - 2 * self.cores) * given.memory
        return self.cores * given.core + extra + self.disk * given.disk + moved


def parts(given: Assumed, measured: Measured = MEASURED) -> list[Part]:
    """All parts at the peak."""
    collector = _cores(given, measured.collector_us)
    arriving = given.peak * measured.request_bytes * 1.3 / 1e6  # TCP and TLS
    offers = _cores(given, measured.offer_us * given.offers)
    carried = given.peak * measured.waiting_bytes / 1e6
    ingest = _ingest_workers(given, measured)
    return [
        Part("collector workers", math.ceil(collector), math.ceil(collector), 0.2 * collector, 0, arriving, 0),
        *_live_store(given, measured),
        Part("ingest workers", ingest, ingest, 0.3 * ingest, 0, 2 * carried, carried),
        *_history(given, measured),
        Part(
            "personalizer processes",
            math.ceil(offers),
            math.ceil(offers),
            0.3 * offers,
            0,
            given.peak * given.offers * 2e-3,
            0,
        ),
        Part("Keeper", 3, 6, 24, 300, 1, 1),
    ]


def shards(given: Assumed, measured: Measured = MEASURED) -> int:
    """A power of two, so that they divide the partitions."""
    return _power_of_two(_history_gb(given, measured) / given.disk_each)


def masters(given: Assumed, measured: Measured = MEASURED) -> int:
    """As many as CPU or memory asks for, three at least."""
    return max(3, math.ceil(_cores(given, measured.master_us)), math.ceil(_live_gb(given, measured) / given.memory_each))


def _ingest_workers(given: Assumed, measured: Measured) -> int:
    """A multiple of the shards, so that each insert is one shard's."""
    each = shards(given, measured)
    return each * math.ceil(_cores(given, measured.ingest_us) / each)


def _live_store(given: Assumed, measured: Measured) -> list[Part]:
    count, memory = masters(given, measured), _live_gb(given, measured)
    log = given.peak * measured.log_bytes / 1e6
    replicas = count * given.replicas
    copied = log * given.replicas
    return [
        Part("live store, masters", count, count, memory, 3 * memory, log + copied, copied),
        Part("live store, replicas", replicas, replicas, memory * given.replicas, 3 * memory * given.replicas, copied, 0),
    ]


def _live_gb(given: Assumed, measured: Measured) -> float:
    held = given.visitors * measured.visitor_bytes + given.peak * given.outage_s * measured.waiting_bytes
    return held * given.spare_memory / GB


def _history(given: Assumed, measured: Measured) -> list[Part]:
    """Cores: a quarter for inserts and merges, the rest for whoever asks."""
    disk, count = _history_gb(given, measured), shards(given, measured) * given.copies
    cores = max(4 * count, math.ceil(4 * given.copies * _cores(given, measured.history_us)))
    arriving = given.peak * 600 / 1e6  # uncompressed rows
    return [Part("history servers", count, cores, 4.0 * cores, disk * given.copies, arriving * given.copies, arriving)]


def _history_gb(given: Assumed, measured: Measured) -> float:
    """Of one copy, a third of the disk free for merges."""
    events = given.peak * given.average * 86_400 * given.days
    return events * measured.history_bytes * given.bytes_factor * 1.5 / GB


def _cores(given: Assumed, us: float) -> float:
    return given.peak * us / 1e6 / given.busy


def _power_of_two(number: float) -> int:
    return 1 << max(1, math.ceil(math.log2(max(number, 1))))


def table(given: Assumed) -> str:
    """The plan as Markdown."""
    lines = ["| part | count | cores | memory | disk | network | $ a month |", "|---|---:|---:|---:|---:|---:|---:|"]
    found = parts(given)
    everything = Part("**all**", 0, *(sum(column) for column in zip(*map(_sizes, found), strict=True)))
    for part in [*found, everything]:
        count = f"{part.count:,}" if part.count else ""
        network = f"{part.network:,.0f} MB/s" if part.count else ""
        sizes = (
            f"{part.cores:,.0f} | {_bytes(part.memory)} | {_bytes(part.disk)} | {network} | {_rounded(part.cost(given)):,}"
        )
        lines.append(f"| {part.name} | {count} | {sizes} |")
    return "\n".join(lines)


def _sizes(part: Part) -> tuple[float, float, float, float, float]:
    return part.cores, part.memory, part.disk, part.network, part.crossing


def _bytes(gigabytes: float) -> str:
    if gigabytes < 1:
        return ""
    return f"{gigabytes:,.0f} GB" if gigabytes < 1000 else f"{gigabytes / 1000:,.1f} TB"


def _rounded(number: float) -> int:
    """Two digits say what is known."""
    return round(number / 10 ** (len(str(int(number))) - 2)) * 10 ** (len(str(int(number))) - 2) if number >= 10 else 0


def assumptions(given: Assumed) -> str:
    """What stands behind a plan, in words."""
    return (
        f"Peak {given.peak:,} events a second, a third of it over the day; {given.visitors / 1e6:,.0f} million visitors "
        f"within 30 days; events kept for {given.days} days; an hour's outage of the history held in the live store; "
        f"{given.replicas} replicas of a master, {given.copies} copies of a shard; {given.partitions:,} partitions."
    )


def measured_table(measured: Measured = MEASURED) -> str:
    """What is multiplied, as Markdown."""
    rows = [
        ("collector", measured.collector_us, "µs CPU"),
        ("master of the live store", measured.master_us, "µs CPU"),
        ("each replica", measured.replica_us, "µs CPU"),
        ("ingest", measured.ingest_us, "µs CPU"),
        ("each copy of the history, views and merges included", measured.history_us, "µs CPU"),
        ("a request for offers", measured.offer_us, "µs CPU"),
        ("request, with its headers", measured.request_bytes, "bytes"),
        ("append-only log, and what goes to each replica", measured.log_bytes, "bytes"),
        ("waiting in its stream", measured.waiting_bytes, "bytes"),
        ("a live visitor of ten events", measured.visitor_bytes, "bytes"),
        ("history on disk, its share of the session included", measured.history_bytes, "bytes"),
    ]
    return "\n".join(
        ["| what | figure | |", "|---|---:|---|", *(f"| {what} | {figure:,} | {unit} |" for what, figure, unit in rows)]
    )


def words_of_assumptions(given: Assumed = LARGE) -> str:
    """What is assumed beside the shop itself."""
    return (
        f"a core is {given.busy:.0%} busy at the peak; real events take {given.bytes_factor:g} times the demo's room on "
        f"disk, and a third of the disk stays free; memory has {given.spare_memory - 1:.0%} to spare; a visitor's browser "
        f"asks for offers with every {1 / given.offers:.0f}th event; a core with 2 GB costs ${given.core:g} a month, more "
        f"memory ${given.memory:g} a GB, SSD ${given.disk:g} a GB, traffic between zones ${given.traffic:g} a GB "
        "(replicas and copies are in another zone)."
    )


def main() -> None:
    """Print both plans, and the large one as it would be if visitors were forgotten after a week."""
    week = replace(LARGE, visitors=LARGE.visitors * 0.3)
    for given in (LARGE, HUGE, week):
        print(f"{assumptions(given)}\n\n{table(given)}\n")


if __name__ == "__main__":
    main()
