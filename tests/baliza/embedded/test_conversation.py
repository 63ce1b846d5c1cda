"""The engine as clickhouse-driver sees it."""

import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from clickhouse_driver import Client
from clickhouse_driver.errors import Error, NetworkError, ServerException

from baliza.embedded.clickhouse import EmbeddedClickHouse
from baliza.embedded.native_protocol import string, varint
from tracker.insertion import OPTIONS

pytestmark = pytest.mark.clickhouse

NOON = datetime(2026, 11, 21, 12, 0, 0, 123000, tzinfo=UTC)


@pytest.fixture
def client(clickhouse_url: str) -> Iterator[Client]:
    with Client.from_url(clickhouse_url) as opened:
        yield opened


def code_of(client: Client, sql: str, *given: Any, **options: Any) -> int:
    """ClickHouse's number of the error that a statement ends in."""
    with pytest.raises(ServerException) as caught:
        client.execute(sql, *given, **options)
    return int(caught.value.code)


def test_every_type_comes_back_as_it_was_sent(client: Client) -> None:
    kinds = {
        "n": "UInt64",
        "low": "LowCardinality(String)",
        "maybe": "Nullable(String)",
        "low_maybe": "LowCardinality(Nullable(String))",
        "many": "Array(Tuple(UInt8, String))",
        "named": "Tuple(price Decimal(18, 2), item String)",
        "map": "Map(String, Array(Decimal(18, 2)))",
        "at": "DateTime64(3, 'UTC')",
        "kind": "Enum8('view' = 1, 'buy' = 2)",
        "total": "SimpleAggregateFunction(sum, UInt64)",
    }
    client.execute(f"CREATE TABLE t ({', '.join(f'`{n}` {k}' for n, k in kinds.items())}) ENGINE = MergeTree ORDER BY n")
    money = Decimal("39.90")
    rows = [
        (1, "a", None, None, [], (money, "LAMP-1"), {}, NOON, "view", 5),
        (2, "b", "x" * 1000, "é", [(1, "a"), (2, "")], (money, ""), {"p": [money, money], "": []}, NOON, "buy", 6),
    ]
    assert client.execute("INSERT INTO t VALUES", rows) == 2
    client.execute("INSERT INTO t VALUES", [list(column) for column in zip(*rows, strict=True)], columnar=True)
    found, columns = client.execute("SELECT DISTINCT * FROM t ORDER BY n", with_column_types=True)
    assert found == rows
    assert dict(columns) == kinds


def test_insert_of_some_columns_fills_the_others_with_defaults(client: Client) -> None:
    client.execute("CREATE TABLE t (a UInt8, `b c` String DEFAULT 'd', m UInt8 MATERIALIZED a + 1) ENGINE = Memory")
    client.execute("INSERT INTO t (a) SETTINGS max_insert_threads = '1' VALUES", [(1,)])
    client.execute("INSERT INTO t (`b c`, a) VALUES", [{"a": 2, "b c": "given"}])
    client.execute("INSERT INTO t (* EXCEPT a) VALUES", [("only",)])
    client.execute("INSERT INTO t VALUES", [(3, "whole")])
    assert client.execute("SELECT a, `b c`, m FROM t ORDER BY a") == [
        (0, "only", 1),
        (1, "d", 2),
        (2, "given", 3),
        (3, "whole", 4),
    ]


def test_insert_from_select_and_inline_values_need_no_blocks(client: Client) -> None:
    client.execute("CREATE TABLE t (a UInt64) ENGINE = Memory")
    client.execute("INSERT INTO t SELECT number FROM numbers(5)")
    client.execute("INSERT INTO t VALUES (10), (11)")
    assert client.execute("SELECT count(), max(a) FROM t") == [(7, 11)]


def test_insert_of_no_rows_writes_nothing(client: Client) -> None:
    client.execute("CREATE TABLE t (a UInt64) ENGINE = Memory")
    client.execute("INSERT INTO t VALUES", [])
    assert client.execute("SELECT count() FROM t") == [(0,)]


@pytest.mark.parametrize(
    ("sql", "columns"),
    [
        ("SELECT 1 AS x, 'a' AS y WHERE 0", [("x", "UInt8"), ("y", "String")]),
        ("WITH 1 AS x SELECT toNullable(x) AS z LIMIT 0 -- none", [("z", "Nullable(UInt8)")]),
        ("SHOW TABLES LIKE 'nothing'", [("name", "String")]),
        ("SELECT number AS n FROM numbers(3) WHERE n > 5 FORMAT JSON", [("n", "UInt64")]),
    ],
)
def test_answer_without_rows_still_names_its_columns(client: Client, sql: str, columns: list[tuple[str, str]]) -> None:
    assert client.execute(sql, with_column_types=True) == ([], columns)


def test_statements_without_an_answer_give_none(client: Client) -> None:
    assert client.execute("CREATE TABLE t (a UInt8) ENGINE = Memory") == []
    assert client.execute("EXISTS TABLE t") == [(1,)]
    assert client.execute("SHOW TABLES") == [("t",)]
    assert client.execute("DESCRIBE TABLE t")[0][:2] == ("a", "UInt8")
    assert client.execute("DROP TABLE t") == []


def test_large_insert_comes_back_whole_in_many_blocks(client: Client) -> None:
    client.execute("CREATE TABLE t (n UInt32, s String) ENGINE = MergeTree ORDER BY n")
    numbers = list(range(200_000))
    client.execute(
        "INSERT INTO t VALUES", [numbers, [f"s{n}" for n in numbers]], columnar=True, settings={"insert_block_size": 30_000}
    )
    blocks = [0, 0]
    for row in client.execute_iter("SELECT n, s FROM t ORDER BY n", {}):
        assert row == (blocks[0], f"s{blocks[0]}")
        blocks[0] += 1
    assert blocks[0] == 200_000


def test_error_has_the_code_and_the_name(client: Client) -> None:
    with pytest.raises(ServerException) as caught:
        client.execute("SELECT * FROM nowhere")
    assert caught.value.code == 60
    assert "(UNKNOWN_TABLE)" in caught.value.message
    assert code_of(client, "SELEC 1") == 62
    assert code_of(client, "SELECT throwIf(number = 300000) FROM numbers(1000000)") == 395
    assert code_of(client, "SELECT 1; SELECT 2") == 62
    assert client.execute("SELECT 1") == [(1,)]


def test_error_after_the_first_blocks_reaches_the_client(client: Client) -> None:
    sql = "SELECT throwIf(number = 900000) FROM numbers(1000000) SETTINGS max_block_size = 1000, max_threads = 1"
    assert code_of(client, sql) == 395
    assert client.execute("SELECT 1") == [(1,)]


def test_refused_insert_leaves_the_connection_usable(client: Client) -> None:
    client.execute("CREATE TABLE t (a UInt8, CONSTRAINT small CHECK a < 10) ENGINE = MergeTree ORDER BY a")
    rows = [(number,) for number in range(5)] + [(99,)] + [(1,)] * 20
    assert code_of(client, "INSERT INTO t VALUES", rows, settings={"insert_block_size": 3}) == 469
    assert code_of(client, "INSERT INTO t (b) VALUES", [(1,)]) == 16
    assert code_of(client, "INSERT INTO nowhere VALUES", [(1,)]) == 60
    assert client.execute("SELECT count() FROM t") == [(0,)]
    assert client.execute("INSERT INTO t VALUES", [(7,)]) == 1
    assert client.execute("SELECT a FROM t") == [(7,)]


def test_insert_that_the_client_breaks_off_writes_nothing(client: Client) -> None:
    client.execute("CREATE TABLE t (a UInt8) ENGINE = MergeTree ORDER BY a")

    def rows() -> Iterator[tuple[int]]:
        yield from [(1,), (2,)]
        raise LookupError("the source of the rows failed")

    with pytest.raises(LookupError):
        client.execute("INSERT INTO t VALUES", rows(), settings={"insert_block_size": 1})
    assert client.execute("SELECT count() FROM t") == [(0,)]


def test_settings_hold_for_one_query(client: Client) -> None:
    ask = "SELECT getSetting('max_threads'), getSetting('max_execution_time')"
    default = client.execute(ask)
    assert client.execute(ask, settings={"max_threads": 3, "max_execution_time": 7}) == [(3, 7)]
    assert client.execute(ask, settings={"max_threads": 2}) == [(2, default[0][1])]
    assert client.execute(ask) == default


def test_unknown_setting_is_an_error_and_changes_nothing(client: Client) -> None:
    ask = "SELECT getSetting('max_threads')"
    default = client.execute(ask)
    assert code_of(client, ask, settings={"max_threads": 3, "nonsense": 1}) == 115
    assert code_of(client, ask, settings={"a = 1, b": 1}) == 115
    assert client.execute(ask) == default


def test_value_of_a_setting_is_taken_literally(client: Client) -> None:
    value = "a' , max_threads = '1\\"
    found = client.execute("SELECT getSetting('insert_deduplication_token')", settings={"insert_deduplication_token": value})
    assert found == [(value,)]


def test_readonly_query_cannot_write_and_the_next_one_can(client: Client) -> None:
    assert code_of(client, "CREATE TABLE t (a UInt8) ENGINE = Memory", settings={"readonly": 1}) == 164
    assert client.execute(
        "SELECT currentDatabase() = %(d)s", {"d": client.connection.database}, settings={"readonly": 1}
    ) == [(1,)]
    client.execute("CREATE TABLE t (a UInt8) ENGINE = Memory")


def test_long_query_stops_at_its_time_limit(client: Client) -> None:
    endless = "SELECT sum(sipHash64(number)) FROM numbers(1000000000000)"
    assert code_of(client, endless, settings={"max_execution_time": 1, "max_threads": 1}) == 159


def test_external_tables_are_refused(client: Client) -> None:
    tables = [{"name": "ext", "structure": [("x", "Int32")], "data": [{"x": 1}]}]
    assert code_of(client, "SELECT * FROM ext", external_tables=tables) == 48
    assert client.execute("SELECT 1") == [(1,)]


def test_clients_do_not_share_database_or_settings(engine: EmbeddedClickHouse, client: Client) -> None:
    with Client.from_url(engine.url()) as other:
        assert other.execute("SELECT currentDatabase()") == [("baliza",)]
        other.execute("SET max_threads = 1")
        assert client.execute("SELECT currentDatabase()") == [(client.connection.database,)]


def test_queries_of_several_clients_run_at_the_same_time(clickhouse_url: str) -> None:
    clients = [Client.from_url(clickhouse_url) for _ in range(4)]
    together = threading.Barrier(4)

    def nap(one: Client) -> None:
        one.execute("SELECT 1")
        together.wait()
        one.execute("SELECT sleep(1)")

    threads = [threading.Thread(target=nap, args=(one,)) for one in clients]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - started < 3
    for one in clients:
        one.disconnect()


def test_inserts_of_several_clients_do_not_mix(client: Client, clickhouse_url: str) -> None:
    client.execute("CREATE TABLE t (who UInt8, n UInt32) ENGINE = MergeTree ORDER BY (who, n)")

    def write(who: int) -> None:
        with Client.from_url(clickhouse_url) as own:
            for start in range(0, 5000, 1000):
                own.execute("INSERT INTO t VALUES", [(who, n) for n in range(start, start + 1000)])

    threads = [threading.Thread(target=write, args=(who,)) for who in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = client.execute("SELECT who, count(), uniqExact(n), max(n) FROM t GROUP BY who ORDER BY who")
    assert found == [(who, 5000, 5000, 4999) for who in range(4)]


def running(client: Client, mark: str) -> int:
    return int(
        client.execute(
            "SELECT count() FROM system.processes WHERE query LIKE %(m)s AND query NOT LIKE '%%processes%%'", {"m": mark}
        )[0][0]
    )


def wait_until(client: Client, mark: str, count: int) -> None:
    until = time.monotonic() + 10
    while running(client, mark) != count:
        assert time.monotonic() < until, f"still not {count} queries like {mark}"
        time.sleep(0.02)


def test_query_of_a_client_that_leaves_is_killed(client: Client, clickhouse_url: str) -> None:
    gone = Client.from_url(clickhouse_url)
    gone.execute("SELECT 1")
    gone.connection.send_query(
        "SELECT 'leaver', sum(sipHash64(number)) FROM numbers(1000000000000) SETTINGS max_threads = 1"
    )
    gone.connection.send_external_tables([])
    wait_until(client, "%leaver%", 1)
    gone.disconnect()
    wait_until(client, "%leaver%", 0)


def test_cancelled_query_ends_and_the_connection_stays_usable(client: Client, clickhouse_url: str) -> None:
    with Client.from_url(clickhouse_url) as other:
        other.execute("SELECT 1")
        other.connection.send_query(
            "SELECT 'quitter', sum(sipHash64(number)) FROM numbers(1000000000000) SETTINGS max_threads = 1"
        )
        other.connection.send_external_tables([])
        wait_until(client, "%quitter%", 1)
        other.connection.send_cancel()
        with pytest.raises(ServerException) as caught:
            other.receive_result()
        assert caught.value.code == 394
        assert other.execute("SELECT 2") == [(2,)]


def test_wrong_password_or_user_is_refused(engine: EmbeddedClickHouse) -> None:
    for user, password in ((engine.user, "wrong"), ("somebody", engine.password), (engine.user, ""), ("é", "é")):
        with Client("127.0.0.1", engine.port, user=user, password=password) as stranger:
            assert code_of(stranger, "SELECT 1") == 516


def test_unknown_database_is_refused_at_the_door(engine: EmbeddedClickHouse) -> None:
    with Client.from_url(engine.url("no`where")) as lost:
        assert code_of(lost, "SELECT 1") == 81


def test_compression_is_refused_with_advice(engine: EmbeddedClickHouse) -> None:
    sock, read = hello(engine)
    info = b"\x01" + string("") * 2 + string("0.0.0.0:0") + b"\x01" + string("c") * 3 + bytes([20, 10, 3, 0, 2])
    with sock:
        sock.sendall(b"\x01" + string("") + info + string("") + b"\x02\x01" + string("SELECT 1") + b"\x02" + b"x" * 50)
        answer = b""
        while piece := read(4096):
            answer += piece
    assert b"connect with compression=False" in answer


def hello(engine: EmbeddedClickHouse) -> tuple[socket.socket, Any]:
    """A bare connection that has said Hello."""
    sock = socket.create_connection(("127.0.0.1", engine.port), timeout=10)
    names = b"".join(map(string, ("baliza", engine.user, engine.password)))
    sock.sendall(b"\x00" + string("bare") + bytes([20, 10]) + varint(54440) + names)
    assert sock.recv(4096)[0] == 0
    return sock, sock.recv


def test_stranger_that_speaks_http_is_told_and_shown_out(engine: EmbeddedClickHouse) -> None:
    with socket.create_connection(("127.0.0.1", engine.port), timeout=10) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
        answer = sock.recv(4096)
        assert b"expected Hello" in answer
        assert sock.recv(1) == b""


def test_unknown_packet_ends_the_connection_with_a_reason(engine: EmbeddedClickHouse) -> None:
    sock, read = hello(engine)
    with sock:
        sock.sendall(b"\x63")
        assert b"Packet 99 came; expected Query (1)" in read(4096)
        assert read(1) == b""


def test_ping_is_answered(engine: EmbeddedClickHouse) -> None:
    sock, read = hello(engine)
    with sock:
        sock.sendall(b"\x04\x04")
        answer = read(2)
        assert answer + (read(1) if len(answer) == 1 else b"") == b"\x04\x04"


def test_column_that_only_the_engine_can_write_is_refused(client: Client) -> None:
    client.execute("CREATE TABLE t (k UInt8, s AggregateFunction(uniq, UInt64)) ENGINE = AggregatingMergeTree ORDER BY k")
    client.execute("INSERT INTO t SELECT 1, uniqState(number) FROM numbers(10)")
    assert client.execute("SELECT uniqMerge(s) FROM t") == [(10,)]
    with pytest.raises(Error):
        client.execute("INSERT INTO t VALUES", [(1, b"")])
    assert client.execute("SELECT count() FROM t") == [(1,)]


def test_same_token_writes_once_also_behind_a_view(client: Client) -> None:
    window = "SETTINGS non_replicated_deduplication_window = 1000"
    client.execute(f"CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a {window}")
    client.execute(f"CREATE TABLE sums (a UInt64) ENGINE = SummingMergeTree ORDER BY tuple() {window}")
    client.execute("CREATE MATERIALIZED VIEW v TO sums AS SELECT sum(a) AS a FROM t")
    once = {"insert_deduplication_token": "p17:1-3", "deduplicate_blocks_in_dependent_materialized_views": 1}
    for _ in range(3):
        client.execute("INSERT INTO t VALUES", [(1,), (2,), (3,)], settings=once)
    assert client.execute("SELECT count(), (SELECT sum(a) FROM sums) FROM t") == [(3, 6)]
    client.execute("INSERT INTO t VALUES", [(1,), (2,), (3,)], settings=once | {"insert_deduplication_token": "p17:4-6"})
    assert client.execute("SELECT count(), (SELECT sum(a) FROM sums) FROM t") == [(6, 12)]


def test_rows_made_of_sent_ones_are_written_once_and_in_one_block(client: Client) -> None:
    window = "SETTINGS non_replicated_deduplication_window = 1000"
    client.execute(f"CREATE TABLE t (a UInt64, b String) ENGINE = MergeTree ORDER BY a {window}")
    client.execute(f"CREATE TABLE sums (a UInt64) ENGINE = SummingMergeTree ORDER BY tuple() {window}")
    client.execute("CREATE MATERIALIZED VIEW v TO sums AS SELECT sum(a) AS a FROM t")
    sql = "INSERT INTO t (b, a) SELECT p, arrayJoin(range(n)) FROM input('n UInt32, p String') WHERE n > 0 FORMAT Native"
    once = {"insert_deduplication_token": "p17:1-3", "deduplicate_blocks_in_dependent_materialized_views": 1}
    sent = [(100_000, "it's"), (100_000, "b"), (0, "c"), (50_000, "\0\n")]
    # What is left of a batch after some of it was trimmed, too.
    for rows in (sent, sent, sent[1:]):
        client.execute(sql, rows, settings=once | OPTIONS)
    assert client.execute("SELECT count(), (SELECT sum(a) FROM sums) FROM t") == [(250_000, 11_249_875_000)]
    assert client.execute("SELECT count() FROM system.parts WHERE database = currentDatabase() AND table = 't'") == [(1,)]
    client.execute(sql, sent[:1], settings={"insert_deduplication_token": "another"})
    assert client.execute("SELECT count(), groupUniqArray(b) FROM t WHERE a = 99999") == [(3, ["it's", "b"])]
    assert code_of(client, sql.replace("'n UInt32", "'n Wrong32"), sent) == 50


def test_failing_view_fails_the_insert_and_the_repeat_completes_it(client: Client) -> None:
    window = "SETTINGS non_replicated_deduplication_window = 1000"
    client.execute(f"CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a {window}")
    client.execute(f"CREATE TABLE copy (a UInt64) ENGINE = MergeTree ORDER BY a {window}")
    client.execute("CREATE MATERIALIZED VIEW v TO copy AS SELECT a + throwIf(a = 5) AS a FROM t")
    once = {"insert_deduplication_token": "p17:1-2", "deduplicate_blocks_in_dependent_materialized_views": 1}
    assert code_of(client, "INSERT INTO t VALUES", [(1,), (5,)], settings=once) == 395
    client.execute("DROP VIEW v")
    client.execute("CREATE MATERIALIZED VIEW v TO copy AS SELECT a FROM t")
    client.execute("INSERT INTO t VALUES", [(1,), (5,)], settings=once)
    assert client.execute("SELECT count(), (SELECT count() FROM copy) FROM t") == [(2, 2)]


def test_async_insert_is_there_when_it_was_answered(client: Client) -> None:
    client.execute("CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a")
    client.execute("INSERT INTO t VALUES", [(1,)], settings={"async_insert": 1, "wait_for_async_insert": 1})
    assert client.execute("SELECT count() FROM t") == [(1,)]


def test_mutation_can_be_waited_for(client: Client) -> None:
    client.execute("CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a")
    client.execute("INSERT INTO t VALUES", [(1,), (2,)])
    client.execute("ALTER TABLE t DELETE WHERE a = 1", settings={"mutations_sync": 2})
    assert client.execute("SELECT a FROM t") == [(2,)]


def test_command_line_client_is_answered(engine: EmbeddedClickHouse) -> None:
    program = shutil.which("clickhouse-client")
    if not program:
        pytest.skip("no clickhouse-client on PATH; install one to try the engine with another client than the driver")
    given = {
        "--host": "127.0.0.1",
        "--port": engine.port,
        "--user": engine.user,
        "--password": engine.password,
        "--compression": 0,
    }
    command = [program, *(str(part) for pair in given.items() for part in pair), "--query", "SELECT number FROM numbers(3)"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (0, "0\n1\n2\n"), done.stderr


def test_driver_notices_an_engine_that_closed_on_it(tmp_path: Any) -> None:
    server = EmbeddedClickHouse(tmp_path)
    server.start()
    with Client.from_url(server.url()) as client:
        assert client.execute("SELECT 1") == [(1,)]
        assert server.stop() == 0
        with pytest.raises((NetworkError, EOFError)):
            client.execute("SELECT 1")
