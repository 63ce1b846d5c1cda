"""Writes one batch into the history, its events and its receipts, each once; and finds the entry that cannot be stored."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from clickhouse_driver.errors import Error as ClickHouseError
from clickhouse_driver.errors import ErrorCodes, ServerException

from baliza.errors import BalizaError, StoreDown
from baliza.stores import History, call, first_line, query
from tracker.brake import Braked
from tracker.rows import SOUND_ROW, Arrival

__all__ = ["CULPRITS_MOST", "INSERT", "Insertion", "Refused", "Row", "culprits"]

Row = tuple[Any, ...]
INSERT: Final = query("insert_events")
INSERT_RECEIPTS: Final = "INSERT INTO receipts (site, hour, received, taken, duplicate, consent, rejected) VALUES"
# Of one batch at once. With more than these, and more than half of what was looked at, the entries are not to blame.
CULPRITS_MOST: Final = 20
# Whatever was sent, these say that the servers cannot write now: timeout, memory, disk, too many parts or queries,
# no Keeper, no quorum, no shard.
NOT_NOW: Final = frozenset(
    {74, 75, 159, 202, 209, 210, 225, 236, 241, 242, 243, 252, 279, 285, 286, 319, 394, 425, 439, 722, 745, 999}
)
OPTIONS: Final[dict[str, Any]] = {
    "deduplicate_blocks_in_dependent_materialized_views": 1,
    # A server may have it on for its users; it would answer before the rows are there, and forget the token.
    "async_insert": 0,
    # A late batch may touch many months; each is a part of its own.
    "max_partitions_per_insert_block": 0,
    # One insert has to be one block, in one order: its token counts blocks.
    "min_insert_block_size_rows": 1_000_000_000,
    "min_insert_block_size_bytes": 1 << 40,
    "max_insert_threads": 1,
    "max_threads": 1,
}


ERRORS: Final = {code: name for name, code in vars(ErrorCodes).items() if isinstance(code, int)}


class Refused(BalizaError):
    """The history answers, and does not take what it was given. `said`: its own words, in which there may be personal data:
    they belong beside the event, not into a log.
    """

    def __init__(self, what: str, said: str = "") -> None:
        super().__init__(what)
        self.said = said


@dataclass(frozen=True)
class Insertion:
    """The history as ingest sees it. `name`, a word, tells the tables of one worker's trials from another's."""

    history: History
    name: str = "0"

    def write(self, arrivals: Sequence[Arrival], token: str) -> None:
        """Store a batch. Repeated with the same token it is stored once, also when the first try stored half of it.

        Blocks. Raises StoreDown, also when the history takes nothing at the moment, and Refused.
        """
        rows = [arrival.row for arrival in arrivals if arrival.row]
        if rows:
            self._insert(INSERT, rows, token)
        receipts = _added_up(arrivals)
        if receipts:
            self._insert(INSERT_RECEIPTS, receipts, f"{token}-receipts")

    def _insert(self, statement: str, rows: Sequence[Row], token: str = "") -> None:
        settings = OPTIONS | {"insert_deduplication_token": token}
        self._do(statement, [list(column) for column in zip(*rows, strict=True)], columnar=True, settings=settings)

    def _do(self, *args: Any, **options: Any) -> None:
        client = self.history.client()
        try:
            call(lambda: client.execute(*args, **options))
        except ServerException as error:
            if error.code in NOT_NOW:
                raise StoreDown("the history takes nothing now", first_line(error)) from error
            named = f"{error.code} {ERRORS.get(error.code, '')}".rstrip()
            raise Refused(f"the history refuses it with error {named}", first_line(error)) from error
        except ClickHouseError as error:
            raise Refused(f"it cannot be sent: {type(error).__name__}", first_line(error)) from error

    @contextmanager
    def trial(self) -> Iterator[Callable[[Sequence[Row]], Refused | None]]:
        """Gives a function that tells why rows would be refused, storing nothing. Raises StoreDown, Refused."""
        table = f"events_trial_{self.name}"
        statement = INSERT.replace("INSERT INTO events\n", f"INSERT INTO {table}\n", 1)

        def refusal(rows: Sequence[Row]) -> Refused | None:
            try:
                self._insert(statement, rows)
            except Refused as why:
                return why
            return None

        # With the columns and constraints that the real one has now; an engine that keeps nothing.
        self._do(f"DROP TABLE IF EXISTS {table}")
        self._do(f"CREATE TABLE {table} AS events ENGINE = Null")
        try:
            yield refusal
        finally:
            self._do(f"DROP TABLE IF EXISTS {table}")


def culprits(insertion: Insertion, arrivals: Sequence[Arrival], refused: Refused) -> dict[int, Refused]:
    """Place → reason of the arrivals because of which a batch was refused; the first CULPRITS_MOST of them.

    Found by halving, at most some twenty trials each. Raises StoreDown; Braked when it is not the fault of single entries.
    """
    try:
        with insertion.trial() as refusal:
            if why := refusal([SOUND_ROW]):
                raise Braked(f"a sound event is refused as well: {why.said or why}")
            found = _halved(refusal, arrivals)
    except Refused as error:
        raise Braked(f"{refused}; which entry is to blame cannot be tried: {error.said or error}") from error
    if not found:
        raise Braked(f"no single entry is to blame: {refused}")
    return found


def _halved(refusal: Callable[[Sequence[Row]], Refused | None], arrivals: Sequence[Arrival]) -> dict[int, Refused]:
    found: dict[int, Refused] = {}
    groups = [[place for place, arrival in enumerate(arrivals) if arrival.row]]
    looked_at = 0
    while groups and len(found) < CULPRITS_MOST:
        group = groups.pop()
        why = refusal([row for place in group if (row := arrivals[place].row)])
        if why and len(group) > 1:
            half = len(group) // 2
            groups += [group[half:], group[:half]]
            continue
        looked_at += len(group)
        if why:
            found[group[0]] = why
    if len(found) >= CULPRITS_MOST and 2 * len(found) > looked_at:
        raise Braked(f"{len(found)} of {looked_at} entries are refused, the first because {next(iter(found.values()))}")
    return found


def _added_up(arrivals: Sequence[Arrival]) -> list[Row]:
    """Rows of the table receipts, one a site and hour."""
    sums: dict[tuple[str, int], list[int]] = {}
    # Most requests are alike, and those are counted by C code.
    for receipt, times in Counter(arrival.receipt for arrival in arrivals).items():
        site, hour_s, *numbers = receipt
        before = sums.get((site, hour_s), [0] * len(numbers))
        sums[site, hour_s] = [sum_ + number * times for sum_, number in zip(before, numbers, strict=True)]
    return [(site, hour_s, sum(numbers), *numbers) for (site, hour_s), numbers in sums.items()]
