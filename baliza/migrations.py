"""ClickHouse migrations: numbered plain SQL in schema/clickhouse, one statement a file, in order, each written down."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable

from clickhouse_driver import Client
from clickhouse_driver.errors import ServerException

from baliza.errors import MigrationError
from baliza.stores import call

__all__ = ["Migration", "migrate", "migrate_down", "migrations", "pending", "problems"]

NAME = re.compile(r"^(\d{4})_[a-z0-9_]+\.(up|down)\.sql$")
LEDGER = """
CREATE TABLE IF NOT EXISTS migrations
(number UInt16, name String, digest String, applied_at DateTime64(3, 'UTC') DEFAULT now64(3), active UInt8)
ENGINE = ReplacingMergeTree(applied_at) ORDER BY number
"""


@dataclass(frozen=True)
class Migration:
    """One numbered step. `digest` is of the up statement: an applied migration is never edited."""

    number: int
    name: str
    up: str
    down: str

    @property
    def digest(self) -> str:
        return sha256(self.up.encode()).hexdigest()


def folder() -> Traversable:
    return files("schema").joinpath("clickhouse")


def problems(names: list[str]) -> list[str]:
    """The rules of naming that these file names break; empty means sound."""
    found, seen = [], dict[str, set[str]]()
    for name in sorted(names):
        match = NAME.match(name)
        if match:
            seen.setdefault(match[1], set()).add(match[2])
        else:
            found.append(f"{name}: expected NNNN_verb_object.up.sql or .down.sql")
    for place, number in enumerate(sorted(seen), start=1):
        if int(number) != place:
            found.append(f"{number}: expected {place:04d}, the numbers have a gap")
        if seen[number] != {"up", "down"}:
            found.append(f"{number}: expected both up and down, found {', '.join(sorted(seen[number]))}")
    return found


def migrations(source: Traversable | None = None) -> list[Migration]:
    """All migrations in order. MigrationError when the folder is not sound."""
    source = source or folder()
    texts = {entry.name: entry.read_text() for entry in source.iterdir() if entry.name.endswith(".sql")}
    broken = problems(list(texts))
    if broken:
        raise MigrationError("schema/clickhouse: " + "; ".join(broken))
    names = sorted(name.removesuffix(".up.sql") for name in texts if name.endswith(".up.sql"))
    return [Migration(int(name[:4]), name, texts[f"{name}.up.sql"], texts[f"{name}.down.sql"]) for name in names]


def applied(client: Client) -> dict[int, str]:
    """Number → digest of what has been applied and not been taken back."""
    client.execute(LEDGER)
    return dict(client.execute("SELECT number, digest FROM migrations FINAL WHERE active ORDER BY number"))


def pending(client: Client, known: list[Migration] | None = None) -> list[Migration]:
    """What is still to be applied. MigrationError when an applied one was edited or is unknown to this version."""
    known = migrations() if known is None else known
    done = call(lambda: applied(client))
    digests = {step.number: step.digest for step in known}
    for number, digest in done.items():
        if number not in digests:
            raise MigrationError(
                f"migration {number:04d} is applied here but unknown to this version of baliza: it is older"
            )
        if digests[number] != digest:
            raise MigrationError(f"migration {number:04d} was edited after it had been applied; add a new one instead")
    return [step for step in known if step.number not in done]


def migrate(client: Client, told: Callable[[Migration], None] = lambda _step: None) -> list[Migration]:
    """Apply what is pending, in order; `told` hears of each before it runs. Answers what was applied."""
    steps = pending(client)
    if steps and _is_clustered(client):
        raise MigrationError(
            f"this history is a cluster, and {len(steps)} migrations are to be applied to all of it: "
            f"run what `baliza migrate --print-for-cluster NAME --after {steps[0].number - 1}` prints"
        )
    for step in steps:
        told(step)
        _run(client, step, step.up, active=1)
    return steps


def migrate_down(client: Client, to: int) -> Iterator[Migration]:
    """Take back, newest first, every applied migration with a number above `to`. Destroys what their headers say."""
    done = call(lambda: applied(client))
    for step in reversed(migrations()):
        if step.number > to and step.number in done:
            _run(client, step, step.down, active=0)
            yield step


def _is_clustered(client: Client) -> bool:
    found = client.execute("SELECT engine FROM system.tables WHERE database = currentDatabase() AND name = 'events'")
    return bool(found == [("Distributed",)])


def _run(client: Client, step: Migration, statement: str, *, active: int) -> None:
    row = {"number": step.number, "name": step.name, "digest": step.digest, "active": active}
    try:
        call(lambda: client.execute(statement))
        call(lambda: client.execute("INSERT INTO migrations (number, name, digest, active) VALUES", [row]))
    except ServerException as error:
        raise MigrationError(f"migration {step.name}: {error}") from error
