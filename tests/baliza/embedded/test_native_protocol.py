"""The protocol's bytes, without a socket."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baliza.embedded import native_protocol as wire


def drip(payload: bytes, size: int = 1) -> Callable[[int], bytes]:
    """A receive function that gives `size` bytes at a time, then the end."""
    pieces = iter([payload[start : start + size] for start in range(0, len(payload), size)])
    return lambda _most: next(pieces, b"")


def reader(payload: bytes, size: int = 1, limit: int = 1_000_000) -> wire.Reader:
    return wire.Reader(drip(payload, size), limit)


@given(st.integers(0, 2**63 - 1))
def test_number_comes_back_as_it_was_written(number: int) -> None:
    assert reader(wire.varint(number)).varint() == number


@given(st.text(max_size=300))
def test_string_comes_back_as_it_was_written(text: str) -> None:
    assert reader(wire.string(text)).string() == text


@given(st.lists(st.integers(0, 300).map(lambda size: b"x" * size), max_size=40), st.integers(1, 50))
def test_skipping_strings_ends_behind_the_last_one(texts: list[bytes], size: int) -> None:
    subject = reader(b"".join(map(wire.string, texts)) + b"!rest", size)
    subject.skip_strings(len(texts))
    assert subject.take(5) == b"!rest"


def test_client_that_leaves_inside_a_string_is_an_end_of_file() -> None:
    with pytest.raises(EOFError):
        reader(b"\x05abc").skip_strings(1)


def test_endless_number_is_refused() -> None:
    with pytest.raises(wire.ProtocolError, match="longer than 64 bits"):
        reader(b"\xff" * 20).varint()


def test_endless_length_of_a_string_is_refused() -> None:
    with pytest.raises(wire.ProtocolError, match="longer than 64 bits"):
        reader(b"\xff" * 20).skip_strings(1)


def test_packet_over_the_limit_is_refused_before_it_is_read() -> None:
    subject = reader(wire.string("x" * 50), limit=20)
    with pytest.raises(wire.ProtocolError, match="more than 20 bytes"):
        subject.skip_strings(1)
    assert len(subject.buffer) <= 20


def test_forgetting_keeps_what_was_not_read_yet() -> None:
    subject = reader(b"abcdef", size=6)
    subject.take(4)
    subject.forget()
    assert (subject.position, bytes(subject.buffer)) == (0, b"ef")


def test_hello_tells_who_and_where_and_hides_the_password() -> None:
    payload = (
        wire.string("client") + bytes([20, 10]) + wire.varint(54440) + b"".join(map(wire.string, ("db", "me", "secret")))
    )
    hello = wire.read_hello(reader(payload))
    assert (hello.database, hello.user, hello.password, hello.revision) == ("db", "me", "secret", 54440)
    assert "secret" not in repr(hello)


CLIENT_INFO = (
    b"\x01" + wire.string("") * 2 + wire.string("0.0.0.0:0") + b"\x01" + wire.string("os") * 3 + bytes([20, 10, 3, 0, 2])
)


def query_bytes(settings: bytes) -> bytes:
    return wire.string("id-1") + CLIENT_INFO + settings + b"\x00" + b"\x02\x00" + wire.string("SELECT 1")


def test_query_carries_its_settings() -> None:
    settings = wire.string("max_threads") + b"\x01" + wire.string("4")
    query = wire.read_query(reader(query_bytes(settings)), 54440)
    assert (query.query_id, query.settings, query.compressed, query.text) == (
        "id-1",
        {"max_threads": "4"},
        False,
        "SELECT 1",
    )


def test_settings_of_an_old_client_are_refused() -> None:
    payload = wire.string("id-1") + CLIENT_INFO + wire.string("max_threads") + b"\x04"
    with pytest.raises(wire.ProtocolError, match="'max_threads' came in the binary form"):
        wire.read_query(reader(payload), 54407)


def test_too_many_settings_are_refused() -> None:
    settings = b"".join(wire.string(f"a{number}") + b"\x00" + wire.string("1") for number in range(1001))
    with pytest.raises(wire.ProtocolError, match="More than 1000 settings"):
        wire.read_query(reader(query_bytes(settings), size=100), 54440)


def test_unknown_field_of_block_info_is_refused() -> None:
    with pytest.raises(wire.ProtocolError, match="field 7"):
        wire.skip_block_info(reader(b"\x07\x00"))


def test_hello_to_an_old_client_leaves_out_what_it_cannot_read() -> None:
    old, new = (wire.hello_packet(revision, (26, 9, 2), "UTC", "name") for revision in (54000, 54440))
    assert new.startswith(old)
    assert new[len(old) :] == wire.string("UTC") + wire.string("name") + b"\x02"


def test_exception_ends_with_its_name() -> None:
    packet = wire.exception_packet(60, "UNKNOWN_TABLE", "No table x")
    assert packet[0] == 2
    assert wire.string("DB::Exception: No table x (UNKNOWN_TABLE)") in packet


def test_header_has_no_rows() -> None:
    packet = wire.header_packet([("a", "UInt8")])
    assert packet.endswith(b"\x01\x00" + wire.string("a") + wire.string("UInt8"))


def test_written_rows_are_not_told_to_clients_that_do_not_know_them() -> None:
    assert wire.written_packet(54400, 5, 50) == b""
    assert wire.written_packet(54440, 5, 50)[-2:] == bytes([5, 50])
