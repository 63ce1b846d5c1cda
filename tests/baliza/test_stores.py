"""Where the stores are, what is installed in them, and how their failures are told."""

import socket
import stat
import time

import pytest
from clickhouse_driver import Client
from clickhouse_driver import errors as clickhouse_errors
from redis import exceptions as redis_errors

from baliza import stores
from baliza.errors import BadSetting, StoreDown
from baliza.settings import Settings
from baliza.stores import History, RedisClient
from schema import keys


def test_endpoints_are_told_to_the_owner_only(settings: Settings) -> None:
    stores.write_endpoints(settings, "redis://:a@h:1/0", "clickhouse://u:b@h:2/baliza")
    file = stores.endpoints_file(settings)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.chmod(0o644)
    stores.write_endpoints(settings, "redis://:c@h:1/0", "clickhouse://u:d@h:2/baliza")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stores.redis_url(settings) == "redis://:c@h:1/0"
    assert stores.clickhouse_url(settings) == "clickhouse://u:d@h:2/baliza"


def test_a_url_that_is_set_wins_over_endpoints(settings: Settings) -> None:
    stores.write_endpoints(settings, "redis://:a@h:1/0", "")
    assert stores.redis_url(Settings(data_dir=settings.data_dir, redis_url="redis://other:6379/0")) == "redis://other:6379/0"
    with pytest.raises(BadSetting, match=r"start `baliza up` there, or set BALIZA_CLICKHOUSE_URL"):
        stores.clickhouse_url(settings)


def test_nothing_known_says_what_to_do(settings: Settings) -> None:
    with pytest.raises(BadSetting, match=r"redis_url is not set and nothing runs in .*data: start `baliza up` there"):
        stores.redis_url(settings)


def test_spoiled_endpoints_say_what_to_do(settings: Settings) -> None:
    stores.write_endpoints(settings, "", "")
    stores.endpoints_file(settings).write_text('{"redis_url')
    with pytest.raises(BadSetting, match=r"endpoints.json cannot be read .*; start `baliza up` again"):
        stores.redis_url(settings)


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (redis_errors.ConnectionError("gone"), "the live store does not answer: gone"),
        (redis_errors.TimeoutError("slow"), "the live store does not answer: slow"),
        (redis_errors.BusyLoadingError("loading"), "the live store does not answer: loading"),
        (redis_errors.OutOfMemoryError("OOM"), "the live store takes nothing: OOM"),
        (redis_errors.ReadOnlyError("replica"), "the live store takes nothing: replica"),
        (redis_errors.ResponseError("MISCONF Errors writing"), "the live store takes nothing: MISCONF Errors writing"),
        (redis_errors.ResponseError("BUSY running a script"), "the live store takes nothing: BUSY running a script"),
        (clickhouse_errors.NetworkError("refused"), "the history does not answer: Code: 210. refused"),
        (clickhouse_errors.SocketTimeoutError("slow"), "the history does not answer: Code: 209. slow"),
        (EOFError("Unexpected EOF"), "the history does not answer: Unexpected EOF"),
        (BrokenPipeError(32, "Broken pipe"), "the history does not answer: .*Broken pipe"),
        (ConnectionResetError(104, "reset"), "the history does not answer: .*reset"),
    ],
)
def test_a_store_that_is_away_is_store_down(raised: Exception, said: str) -> None:
    def fail() -> None:
        raise raised

    with pytest.raises(StoreDown, match=f"^{said}$"):
        stores.call(fail)


@pytest.mark.redis
def test_a_store_that_takes_nothing_for_now_is_store_down(redis_client: RedisClient) -> None:
    redis_client.config_set("min-replicas-to-write", 3)
    try:
        with pytest.raises(StoreDown, match="takes nothing"):
            stores.call(lambda: redis_client.set("a", 1))
    finally:
        redis_client.config_set("min-replicas-to-write", 0)


def test_other_errors_pass() -> None:
    def fail() -> None:
        raise clickhouse_errors.ServerException("DB::Exception: no", 60)

    with pytest.raises(clickhouse_errors.ServerException):
        stores.call(fail)


def test_errors_are_told_in_one_line() -> None:
    error = clickhouse_errors.ServerException("DB::Exception: Unknown table x. Stack trace:\n\n0. one\n1. two", 60)
    assert stores.first_line(error) == "Code: 60. DB::Exception: Unknown table x."
    assert stores.first_line(ValueError("one\ntwo")) == "one"
    assert stores.first_line(ValueError()) == "ValueError"


@pytest.mark.redis
def test_install_fixes_the_partitions(redis_client: RedisClient, settings: Settings) -> None:
    stores.install(redis_client, settings)
    assert redis_client.hget(keys.INSTALLED, "partitions") == b"8"
    with pytest.raises(BadSetting, match="BALIZA_PARTITIONS is 16, but this live store was installed with 8"):
        stores.install(redis_client, Settings(partitions=16))


@pytest.mark.clickhouse
def test_the_database_of_the_url_is_made(clickhouse_url: str) -> None:
    name = clickhouse_url.rpartition("/")[2]
    new = Settings(clickhouse_url=f"{clickhouse_url}_more")
    stores.create_database(new)
    stores.create_database(new)
    client = Client.from_url(new.clickhouse_url)
    assert client.execute("SELECT currentDatabase()") == [(f"{name}_more",)]
    client.execute(f"DROP DATABASE {name}_more")
    client.disconnect()


def test_a_url_without_a_database_is_refused() -> None:
    with pytest.raises(BadSetting, match="BALIZA_CLICKHOUSE_URL: expected the name of a database"):
        stores.create_database(Settings(clickhouse_url="clickhouse://host:9000"))


@pytest.mark.clickhouse
def test_history_answers_rows_and_records_and_says_when_it_is_away(history: History) -> None:
    assert history.rows("SELECT %(n)s + 1", {"n": 1}) == [(2,)]
    assert history.records("SELECT 1 AS a, 'x' AS b") == [{"a": 1, "b": "x"}]
    away = History(lambda: Client.from_url("clickhouse://u:p@127.0.0.1:1/baliza?connect_timeout=1"))
    with pytest.raises(StoreDown, match="history does not answer"):
        away.rows("SELECT 1")


@pytest.mark.clickhouse
def test_history_answers_a_long_result_in_chunks(history: History) -> None:
    asked = {"n": 7}
    chunks = [list(chunk) for chunk in history.chunks("SELECT number FROM numbers(%(n)s) ORDER BY number", asked, 3)]
    assert [row for chunk in chunks for row in chunk] == [(number,) for number in range(7)]
    assert max(map(len, chunks)) <= 3
    assert list(history.chunks("SELECT number FROM numbers(0)", {}, 3)) == []


@pytest.mark.network
def test_a_history_that_hangs_is_waited_for_as_long_as_was_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"clickhouse://u:p@127.0.0.1:{silent.getsockname()[1]}/baliza"
        hanging = History(lambda: stores.clickhouse(Settings(clickhouse_url=url), timeout_s=0.2))
        began = time.monotonic()
        with pytest.raises(StoreDown, match="history does not answer"):
            hanging.rows("SELECT 1")
        assert time.monotonic() - began < 5


def test_every_query_can_be_read() -> None:
    assert "FROM events" in stores.query("status_figures")
    assert stores.function_library().startswith("#!lua name=baliza_v1")
