import socket
import sys
from collections.abc import Iterator

import pytest

from baliza.knocks import ignore_knocks

pytestmark = [pytest.mark.network, pytest.mark.skipif(sys.platform != "linux", reason="only Linux has socket filters")]


@pytest.fixture(params=[("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)], ids=["IPv4", "IPv6"])
def listener(request: pytest.FixtureRequest) -> Iterator[socket.socket]:
    host, family = request.param
    try:
        made = socket.create_server((host, 0), family=family)
    except OSError as error:
        pytest.skip(f"no {host} here: {error}")
    with made:
        yield made


def test_who_is_at_the_door_comes_in_and_nobody_else(listener: socket.socket) -> None:
    address = listener.getsockname()[:2]
    with socket.create_connection(address) as waiting, listener.dup() as elsewhere:
        assert ignore_knocks([elsewhere])
        with pytest.raises(TimeoutError):
            socket.create_connection(address, timeout=0.3)
        waiting.sendall(b"asked before, sent after")
        taken, _ = listener.accept()
        with taken:
            assert taken.recv(100) == b"asked before, sent after"
            taken.sendall(b"answered")
            assert waiting.recv(100) == b"answered"
    listener.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=5)


def test_sockets_that_are_no_tcp_are_left_as_they_are() -> None:
    with socket.socket(socket.AF_UNIX) as local:
        assert not ignore_knocks([local])
    assert not ignore_knocks([])
