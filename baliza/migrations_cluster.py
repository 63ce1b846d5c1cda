"""The history as a ClickHouse cluster: the same migrations, rewritten. Nothing is written twice, so nothing can drift.

Each table becomes a replicated one on every shard, <name>_local, and a Distributed one in front of them that has the plain
name: ingest, reports and training do not notice. A view fills <name>_local from <name>_local, on each shard by itself.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from baliza.errors import MigrationError
from baliza.migrations import LEDGER, Migration

__all__ = ["FILLED_BY_VIEWS", "SHARDED_BY", "clustered"]

# A repeated batch must go where it went the first time, and a visitor's sessions are summed up on one shard. The same CRC as
# the live store's partitions have: with shards that divide the partitions, a partition is one shard's.
SHARDED_BY: Final = {"events": "CRC32(visitor_id)", "receipts": "CRC32(site)", "decisions": "CRC32(visitor_id)"}
# Written by views only, on the shard of the rows that they are made of.
FILLED_BY_VIEWS: Final = frozenset({"sessions", "responses"})
# Blocks of all ingest workers together, and their age. ClickHouse forgets after an hour; a batch may be repeated after days.
REMEMBERED_BLOCKS: Final = 100_000
REMEMBERED_S: Final = 7 * 24 * 3600

TABLE = re.compile(r"CREATE TABLE (?:IF NOT EXISTS )?(\w+)\n\(.*\n?\)\nENGINE = (\w*MergeTree)(\(.*?\))?(?=\s)", re.S)
VIEW = re.compile(r"CREATE MATERIALIZED VIEW (\w+) TO (\w+) AS\n(.*)", re.S)
ALTER = re.compile(r"ALTER TABLE (\w+) (.*)", re.S)
WINDOW = re.compile(r"non_replicated_deduplication_window = \d+")
SOURCE = re.compile(r"\bFROM (\w+) AS\b")
COMMENT = re.compile(r"^--.*\n", re.M)


def clustered(steps: Sequence[Migration], cluster: str, database: str) -> Iterator[str]:
    """The statements that do on a cluster what the steps do on one server, the ledger's included, without semicolons.

    For one server of the cluster to run, in order. MigrationError at a statement of a kind that is not known here.
    """
    for name in (cluster, database):
        if not re.fullmatch(r"\w+", name):
            raise MigrationError(f"expected a name of letters, digits and underscores, got {name!r}")
    on = f"ON CLUSTER {cluster}"
    yield f"CREATE DATABASE IF NOT EXISTS {database} {on}"
    yield _ledger(database, on)
    for step in steps:
        try:
            yield from _step(step.up, cluster, database)
        except MigrationError as error:
            raise MigrationError(f"migration {step.name}: {error}") from None
        values = f"({step.number}, '{step.name}', '{step.digest}', 1)"
        yield f"INSERT INTO {database}.migrations (number, name, digest, active) VALUES {values}"  # noqa: S608 - all ours


def _ledger(database: str, on: str) -> str:
    """One for all servers: every one of them is a replica of it."""
    engine = f"ReplicatedReplacingMergeTree('/clickhouse/{database}/migrations', '{{shard}}-{{replica}}', applied_at)"
    made = LEDGER.strip().replace("TABLE IF NOT EXISTS migrations", f"TABLE IF NOT EXISTS {database}.migrations {on}")
    return made.replace("ReplacingMergeTree(applied_at)", engine)


def _step(up: str, cluster: str, database: str) -> Iterator[str]:
    statement = COMMENT.sub("", up).strip().rstrip(";")
    kinds: dict[re.Pattern[str], Callable[[re.Match[str], str, str], Iterator[str]]] = {
        TABLE: _table,
        VIEW: _view,
        ALTER: _alter,
    }
    for pattern, rewrite in kinds.items():
        match = pattern.match(statement)
        if match:
            yield from rewrite(match, cluster, database)
            return
    raise MigrationError(
        f"cannot be made for a cluster: expected a table, a materialized view or an ALTER, got {statement[:60]!r}"
    )


def _table(match: re.Match[str], cluster: str, database: str) -> Iterator[str]:
    name, engine, given = match[1], match[2], (match[3] or "()").strip("()")
    if name not in SHARDED_BY.keys() | FILLED_BY_VIEWS:
        raise MigrationError(f"nothing says how the table {name} is sharded; SHARDED_BY in {__name__} should")
    statement, local = match.string, f"{database}.{name}_local"
    path = f"'/clickhouse/{database}/{{shard}}/{name}_local', '{{replica}}'" + (f", {given}" if given else "")
    made = statement.replace(
        match[0], match[0].replace(f"ENGINE = {engine}{match[3] or ''}", f"ENGINE = Replicated{engine}({path})")
    )
    made = re.sub(rf"^CREATE TABLE (IF NOT EXISTS )?{name}", rf"CREATE TABLE \g<1>{local} ON CLUSTER {cluster}", made)
    remembered = (
        f"replicated_deduplication_window = {REMEMBERED_BLOCKS}, replicated_deduplication_window_seconds = {REMEMBERED_S}"
    )
    made, found = WINDOW.subn(remembered, made)
    if not found:
        raise MigrationError(
            f"the table {name} has no non_replicated_deduplication_window: a repeated batch would count twice"
        )
    yield made
    key = f", {SHARDED_BY[name]}" if name in SHARDED_BY else ""
    yield (
        f"CREATE TABLE {database}.{name} ON CLUSTER {cluster} AS {local}\n"
        f"ENGINE = Distributed({cluster}, {database}, {name}_local{key})"
    )


def _view(match: re.Match[str], cluster: str, database: str) -> Iterator[str]:
    name, target, select = match[1], match[2], match[3]
    local, found = SOURCE.subn(rf"FROM {database}.\1_local AS", select)
    if not found:
        raise MigrationError(f"the view {name} names no table as `FROM table AS alias`")
    yield f"CREATE MATERIALIZED VIEW {database}.{name} ON CLUSTER {cluster} TO {database}.{target}_local AS\n{local}"


def _alter(match: re.Match[str], cluster: str, database: str) -> Iterator[str]:
    """Columns are those of both; indexes, settings and the like are those of the replicated table."""
    name, change = match[1], match[2]
    change = WINDOW.sub(f"replicated_deduplication_window = {REMEMBERED_BLOCKS}", change)
    yield f"ALTER TABLE {database}.{name}_local ON CLUSTER {cluster} {change}"
    if re.match(r"(ADD|DROP|MODIFY|RENAME|COMMENT) COLUMN\b", change):
        yield f"ALTER TABLE {database}.{name} ON CLUSTER {cluster} {change}"
