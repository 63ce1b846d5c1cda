"""The SQL for a cluster: what ClickHouse's own parser and engine say of it, as far as one engine can be a cluster."""

import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from clickhouse_driver import Client
from clickhouse_driver.errors import ServerException

from baliza.cli import cli
from baliza.errors import MigrationError
from baliza.migrations import Migration, migrate, migrations
from baliza.migrations_cluster import FILLED_BY_VIEWS, REMEMBERED_BLOCKS, SHARDED_BY, clustered
from schema import keys
from tests.support.rows import NOON, event_row

STATEMENTS = list(clustered(migrations(), "shop", "baliza"))
NO_KEEPER = 225
EVENTS = [
    event_row(
        event_id=f"e-{number}",
        visitor_id=f"v-{number % 40}",
        session_id=f"s-{number % 40}-{number % 2}",
        occurred_at=NOON + timedelta(seconds=number),
        session_opened_at=NOON + timedelta(seconds=number % 2),
        type="page_view" if number % 3 else "view_item",
    )
    for number in range(400)
]


def plain(statement: str) -> str:
    """As one server without a Keeper can run it: not replicated, and on itself only."""
    statement = re.sub(r" ON CLUSTER \w+", "", statement)
    statement = re.sub(r"Replicated(\w*MergeTree)\('[^']*', '[^']*'(?:, )?(.*?)\)", r"\1(\2)", statement)
    statement = re.sub(r", replicated_deduplication_window_seconds = \d+", "", statement)
    return re.sub(r"\breplicated_deduplication_window", "non_replicated_deduplication_window", statement)


@pytest.fixture
def client(clickhouse_url: str) -> Iterator[Client]:
    client = Client.from_url(clickhouse_url)
    yield client
    client.disconnect()


def test_every_table_is_replicated_and_has_one_in_front_that_keeps_its_name() -> None:
    tables = re.findall(r"^CREATE TABLE (\w+)", "\n".join(step.up for step in migrations()), re.M)
    assert {"events", "sessions", "receipts", "decisions", "responses"} <= set(tables)
    text = "\n".join(STATEMENTS)
    for name in tables:
        assert f"CREATE TABLE baliza.{name}_local ON CLUSTER shop" in text
        assert re.search(rf"'/clickhouse/baliza/{{shard}}/{name}_local', '{{replica}}'", text)
        assert re.search(rf"Distributed\(shop, baliza, {name}_local[,)]", text)
    assert "non_replicated" not in text
    made = [
        statement for statement in STATEMENTS if statement.startswith("CREATE TABLE") and "_local ON CLUSTER" in statement
    ]
    assert len(made) == len(tables)
    assert all(f"replicated_deduplication_window = {REMEMBERED_BLOCKS}" in statement for statement in made)
    ledger = [statement for statement in STATEMENTS if statement.startswith("INSERT INTO baliza.migrations")]
    assert len(ledger) == len(migrations())


@pytest.mark.clickhouse
def test_clickhouse_can_read_every_statement(client: Client) -> None:
    for statement in STATEMENTS:
        ((formatted,),) = client.execute("SELECT formatQuery(%(text)s)", {"text": statement})
        assert "ON CLUSTER shop" in formatted or formatted.startswith("INSERT")
        if not statement.startswith("INSERT"):
            assert client.execute(f"EXPLAIN AST {statement}")


@pytest.mark.clickhouse
def test_replicated_tables_lack_nothing_but_a_keeper(client: Client) -> None:
    replicated = [statement for statement in STATEMENTS if "ENGINE = Replicated" in statement]
    assert len(replicated) == len(SHARDED_BY) + len(FILLED_BY_VIEWS) + 1
    database = client.execute("SELECT currentDatabase()")[0][0]
    for statement in replicated:
        here = statement.replace(" ON CLUSTER shop", "").replace("baliza.", f"{database}.")
        with pytest.raises(ServerException) as refused:
            client.execute(here.replace("{shard}", "1").replace("{replica}", "a"))
        assert refused.value.code == NO_KEEPER, statement


CLUSTER = """
<clickhouse><macros><shard>1</shard><replica>a</replica></macros><remote_servers><shop>
<shard><internal_replication>true</internal_replication><replica><host>127.0.0.1</host><port>1</port></replica></shard>
<shard><internal_replication>true</internal_replication><replica><host>127.0.0.2</host><port>1</port></replica></shard>
</shop></remote_servers></clickhouse>
"""
RUN_ALL = """
import sys, chdb
session = chdb.connect(f"{sys.argv[1]}/data?config-file={sys.argv[1]}/cluster.xml")
for statement in sys.stdin.read().split(";\\n"):
    session.query(statement)
print(session.query("SELECT name, engine FROM system.tables WHERE database = 'baliza' ORDER BY name", "CSV"))
print(session.query("SELECT DISTINCT table FROM system.columns WHERE database = 'baliza' AND name = 'visitor_id'", "CSV"))
session.close()
"""


@pytest.mark.network
def test_an_engine_that_knows_the_cluster_runs_them_all(tmp_path: Path) -> None:
    (tmp_path / "cluster.xml").write_text(CLUSTER)
    done = subprocess.run(
        [sys.executable, "-c", RUN_ALL, str(tmp_path)],
        input=";\n".join(map(plain, STATEMENTS)),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for name in ("events", "sessions", "receipts", "decisions", "responses"):
        assert f'"{name}","Distributed"' in done.stdout
    for name in ("sessions", "responses"):
        assert f'"{name}_local","AggregatingMergeTree"' in done.stdout
        assert f'"{name}_from_events","MaterializedView"' in done.stdout
    assert '"decisions_local","ReplacingMergeTree"' in done.stdout


@pytest.fixture
def shards(client: Client) -> Iterator[list[str]]:
    """Two databases that are two shards; what stands in front of them is left out."""
    ((base,),) = client.execute("SELECT currentDatabase()")
    names = [f"{base}_{number}" for number in (1, 2)]
    for name in names:
        for statement in clustered(migrations(), "shop", name):
            if "ENGINE = Distributed" not in statement:
                client.execute(plain(statement))
    yield names
    for name in names:
        client.execute(f"DROP DATABASE {name}")


def insert(client: Client, shards: list[str], rows: list[dict[str, Any]], token: str, reached: int = 2) -> None:
    """As a Distributed table does it: each shard gets its part, under the same token. Breaks off after some of them."""
    options = {"insert_deduplication_token": token, "deduplicate_blocks_in_dependent_materialized_views": 1}
    expression = SHARDED_BY["events"].replace("visitor_id", "arrayJoin(%(visitors)s)")
    visitors = [row["visitor_id"] for row in rows]
    places = client.execute(f"SELECT {expression} %% {len(shards)}", {"visitors": visitors})
    for number, shard in enumerate(shards[:reached]):
        mine = [row for row, (place,) in zip(rows, places, strict=True) if place == number]
        assert 0 < len(mine) < len(rows)
        client.execute(f"INSERT INTO {shard}.events_local ({', '.join(rows[0])}) VALUES", mine, settings=options)


@pytest.mark.clickhouse
def test_a_batch_that_is_repeated_after_half_of_it_arrived_counts_once(client: Client, shards: list[str]) -> None:
    insert(client, shards, EVENTS[:200], "first", reached=1)
    insert(client, shards, EVENTS[:200], "first")
    insert(client, shards, EVENTS[200:], "second")
    insert(client, shards, EVENTS[200:], "second")
    assert sum(client.execute(f"SELECT count() FROM {shard}.events_local")[0][0] for shard in shards) == len(EVENTS)
    both = " UNION ALL ".join(f"SELECT '{shard}' AS shard, * FROM {shard}.sessions_local" for shard in shards)
    found = client.execute(
        f"SELECT count(), sum(n), max(places) FROM"
        f" (SELECT session_id, sum(events) AS n, uniqExact(shard) AS places FROM ({both}) GROUP BY session_id)"
    )
    assert found == [(len({row["session_id"] for row in EVENTS}), len(EVENTS), 1)]


@pytest.mark.clickhouse
@pytest.mark.parametrize(("partitions", "shards"), [(64, 4), (64, 8), (1024, 32)])
def test_a_partition_is_one_shards_when_shards_divide_partitions(client: Client, partitions: int, shards: int) -> None:
    visitors = [f"v-{number}é" for number in range(2000)]
    expression = SHARDED_BY["events"].replace("visitor_id", "arrayJoin(%(visitors)s)")
    found = client.execute(f"SELECT {expression} %% {shards}", {"visitors": visitors})
    assert [place for (place,) in found] == [keys.partition_of(visitor, partitions) % shards for visitor in visitors]


@pytest.mark.parametrize(
    ("up", "said"),
    [
        ("CREATE TABLE odd\n(\n a String\n)\nENGINE = MergeTree\nORDER BY a", "nothing says how the table odd is sharded"),
        ("CREATE TABLE events\n(\n a String\n)\nENGINE = MergeTree\nORDER BY a", "no non_replicated_deduplication_window"),
        ("CREATE DICTIONARY x (a String)", "expected a table, a materialized view or an ALTER, got 'CREATE DICTIONARY x"),
        ("CREATE MATERIALIZED VIEW v TO events AS\nSELECT 1", "names no table"),
    ],
)
def test_what_is_not_understood_is_refused_with_its_name(up: str, said: str) -> None:
    with pytest.raises(MigrationError, match=f"migration 0009_odd: .*{said}"):
        list(clustered([Migration(9, "0009_odd", up, "")], "shop", "baliza"))


def test_names_that_would_be_sql_are_refused() -> None:
    with pytest.raises(MigrationError, match="expected a name of letters"):
        list(clustered([], "shop; DROP", "baliza"))


def test_columns_change_in_both_tables_and_the_rest_in_one() -> None:
    steps = [
        Migration(1, "0001_add", "-- why\nALTER TABLE events ADD COLUMN a String", ""),
        Migration(2, "0002_widen", "ALTER TABLE events MODIFY SETTING non_replicated_deduplication_window = 5", ""),
    ]
    found = [statement for statement in clustered(steps, "shop", "b") if statement.startswith("ALTER")]
    assert found == [
        "ALTER TABLE b.events_local ON CLUSTER shop ADD COLUMN a String",
        "ALTER TABLE b.events ON CLUSTER shop ADD COLUMN a String",
        f"ALTER TABLE b.events_local ON CLUSTER shop MODIFY SETTING replicated_deduplication_window = {REMEMBERED_BLOCKS}",
    ]


def test_the_command_prints_them_and_touches_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BALIZA_DATA_DIR", str(tmp_path))
    printed = CliRunner().invoke(cli, ["migrate", "--print-for-cluster", "shop"])
    assert printed.output.split(";\n\n")[:-1] == STATEMENTS
    monkeypatch.setenv("BALIZA_CLICKHOUSE_URL", "clickhouse://one:9000/lamps")
    later = CliRunner().invoke(cli, ["migrate", "--print-for-cluster", "shop", "--after", "4"])
    assert "CREATE DATABASE IF NOT EXISTS lamps ON CLUSTER shop" in later.output
    assert "ALTER TABLE lamps.events_local ON CLUSTER shop ADD INDEX" in later.output
    assert "CREATE TABLE lamps.events" not in later.output


@pytest.mark.clickhouse
def test_a_cluster_is_not_migrated_as_one_server(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    migrate(client)
    monkeypatch.setattr("baliza.migrations._is_clustered", lambda _client: True)
    assert migrate(client) == []
    client.execute("TRUNCATE TABLE migrations")
    with pytest.raises(MigrationError, match=r"print-for-cluster NAME --after 0"):
        migrate(client)
