"""What must not leak: full addresses into anything that is written, secrets into the time that a comparison takes."""

import ast
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from baliza.lease import Lease
from baliza.settings import Settings
from baliza.stores import History
from tests.support.collector import PARTITIONS, RunningCollector
from tests.support.wire import Wire, batch, get, post
from tracker.ingest import Ingest

ROOT = Path(__file__).parent.parent
PACKAGES = ("schema", "baliza", "tracker", "personalizer", "console", "demo")
SECRET_WORDS = {"secret", "password", "token", "digest", "signature", "mark"}
HARMLESS = {
    "baliza/migrations.py: digests[number] != digest",  # of the migrations' own text
    "personalizer/catalogue/live.py: int(slot.goods.digest[item]) != digest(rows[item_id])",  # of what anybody may see
}
ADDRESSES = {"198.51.100.77": "198.51.100.0/24", "2001:db8:77aa:1234::5678": "2001:db8:77aa::/48"}


@pytest.fixture
def behind_a_proxy(tmp_path: Path) -> Iterator[RunningCollector]:
    extra = {
        "BALIZA_TRUSTED_PROXIES": "1",
        "BALIZA_VISITOR_EVENTS_PER_MINUTE": "60",
        "BALIZA_VISITOR_BURST": "3",
        "BALIZA_REQUEST_TIMEOUT_S": "0.5",
    }
    running = RunningCollector(tmp_path / "behind", extra, "tests.support.odd_apps")
    running.wait_until_ready()
    yield running
    running.close()


def send_everything(running: RunningCollector, address: str, who: str) -> None:
    """All that makes a process write something: good, bad, refused, limited, unreadable, failing, too slow."""
    client = f"X-Forwarded-For: 10.9.9.9, {address}"
    asked = [
        (post(batch("good", visitor=f"good-{who}"), client, f"X-Real-IP: {address}", f"Forwarded: for={address}"), 202),
        (post(batch("bad", visitor=f"bad-{who}").replace(b"page_view", b"no_type"), client), 400),
        (post(batch("stranger", visitor=f"stranger-{who}").replace(b"pk_demo", b"pk_x"), client), 401),
        (post(batch("server", visitor=f"server-{who}"), client, "Authorization: Bearer sk_demo"), 202),
        (post(b"\xff\x00", client), 400),
        (get(f"/o.gif?key=pk_demo&visitor=v-{who}", client), 200),
        (get("/raise", client), 500),
        (get("/status/nonsense", client), 500),
    ]
    with Wire(running.url) as wire:
        assert [wire.ask(data).status for data, _ in asked] == [status for _, status in asked]
        limited = [wire.ask(post(batch(f"many-{n}", visitor=f"many-{who}"), client)).status for n in range(8)]
        assert 429 in limited
        assert wire.ask(post(b"", client, "Host: other.test")).status == 400
    with Wire(running.url) as wire:
        assert wire.send(post(batch("slow", visitor=f"slow-{who}"), client)[:-20]).answer().status == 408


def everything_written(folder: Path) -> bytes:
    return b"\n".join(file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file())


def everything_in(history: History) -> bytes:
    """All columns of all tables and views; aggregate states as the bytes that they are."""
    found = b""
    columns = history.rows("SELECT table, name, type FROM system.columns WHERE database = currentDatabase()")
    for table, name, kind in columns:
        shown = "hex" if kind.startswith("AggregateFunction(") else "toString"
        for (value,) in history.rows(f"SELECT {shown}(`{name}`) FROM `{table}`"):
            found += bytes.fromhex(value) if shown == "hex" else value.encode()
    return found


@pytest.mark.redis
@pytest.mark.clickhouse
def test_no_full_address_is_written_anywhere(
    behind_a_proxy: RunningCollector, history: History, settings: Settings, tmp_path: Path
) -> None:
    for number, address in enumerate(ADDRESSES):
        send_everything(behind_a_proxy, address, f"sender-{number}")
    redis = behind_a_proxy.redis
    held = repr({key: redis.dump(key) for key in redis.keys("*")}).encode()
    lease = Lease(redis, "ingest-0", "one", time.monotonic)
    ingest = Ingest(replace(settings, partitions=PARTITIONS), redis, history, lease, "one", lambda: 0)
    while ingest.step():
        pass
    files = everything_written(tmp_path)
    kept = everything_in(history)
    assert b"an application failed at GET /raise" in files, "the logs are among the files"
    for address, network in ADDRESSES.items():
        assert network.encode() in files, "the live store's log has the network"
        assert network.encode() in kept, "and so has the history"
        for place in (files, held, kept):
            assert address.encode() not in place


def names_in(tree: ast.AST) -> set[str]:
    return {
        node.id if isinstance(node, ast.Name) else node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Name | ast.Attribute)
    }


def plain_comparisons(source: str) -> Iterator[str]:
    """Where something that is named like a secret is compared with == or !=, other than with a constant."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Compare) or not isinstance(node.ops[0], ast.Eq | ast.NotEq):
            continue
        sides = [node.left, *node.comparators]
        words = {word for side in sides for name in names_in(side) for word in name.lower().split("_")}
        if words & SECRET_WORDS and not any(isinstance(side, ast.Constant) for side in sides):
            yield ast.unparse(node)


def test_no_secret_is_compared_in_a_time_that_tells_of_it() -> None:
    """Keys, tokens and passwords are looked up by their digests or compared with hmac.compare_digest."""
    files = [file for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py"))]
    found = {f"{file.relative_to(ROOT)}: {each}" for file in files for each in plain_comparisons(file.read_text())}
    assert found == HARMLESS
    assert list(plain_comparisons("user.password_hash == given or token != other or mark == ''")) == [
        "user.password_hash == given",
        "token != other",
    ]
