"""Errors and blocks of the engine; its sessions are tested through the server, in test_conversation."""

from pathlib import Path

import pytest

from baliza.embedded.engine import InsertStream, QueryError, header_of, parse_error, split_blocks
from baliza.embedded.native_protocol import string, varint
from baliza.embedded.statements import Insert


def block(name: str, kind: str, values: bytes, rows: int) -> bytes:
    return varint(1) + varint(rows) + string(name) + string(kind) + values


@pytest.mark.parametrize(
    ("text", "code", "name", "message"),
    [
        ("Code: 60. DB::Exception: No table x. (UNKNOWN_TABLE)", 60, "UNKNOWN_TABLE", "No table x."),
        ("Streaming query failed: Code: 6. DB::Exception: Bad 'x' (y). (CANNOT_PARSE_TEXT) (version 26.9.2.1)",
         6, "CANNOT_PARSE_TEXT", "Bad 'x' (y)."),
        ("Code: 1000. DB::NetException: gone\nwith lines (NETWORK_ERROR)", 1000, "NETWORK_ERROR", "gone\nwith lines"),
        ("Code: 49. DB::Exception: no name", 49, "UNKNOWN_EXCEPTION", "no name"),
        ("something else", 1002, "UNKNOWN_EXCEPTION", "something else"),
    ],
)  # fmt: skip
def test_engine_errors_are_taken_apart(text: str, code: int, name: str, message: str) -> None:
    error = parse_error(text)
    assert (error.code, error.name, str(error)) == (code, name, message)


def test_blocks_in_a_row_are_told_apart() -> None:
    blocks = [block("a", "UInt8", b"\x01\x02", 2), block("a", "UInt8", b"\x03", 1)]
    assert list(split_blocks(b"".join(blocks))) == blocks
    assert list(split_blocks(b"")) == []


def test_block_of_unknown_length_is_taken_whole() -> None:
    opaque = block("a", "AggregateFunction(uniq, UInt8)", b"\x00\x01\x02", 1)
    assert list(split_blocks(opaque)) == [opaque]
    assert header_of(opaque) == []


def test_header_names_the_columns() -> None:
    assert header_of(block("a", "LowCardinality(String)", b"", 0)) == [("a", "LowCardinality(String)")]


def test_insert_stream_runs_once_with_all_blocks(tmp_path: Path) -> None:
    seen: list[tuple[str, bytes]] = []
    path = tmp_path / "c.native"
    stream = InsertStream(path, lambda sql: seen.append((sql, path.read_bytes())), Insert("INSERT INTO t", "t", None))
    stream.append(b"one", 2)
    stream.append(b"two", 1)
    assert stream.finish() == (3, 6)
    stream.close()
    assert [data for _, data in seen] == [b"onetwo"]
    assert list(tmp_path.iterdir()) == []


def test_insert_stream_that_is_closed_early_leaves_nothing(tmp_path: Path) -> None:
    ran: list[str] = []
    stream = InsertStream(tmp_path / "c.native", ran.append, Insert("INSERT INTO t", "t", None))
    stream.append(b"one", 1)
    stream.close()
    assert ran == []
    assert list(tmp_path.iterdir()) == []


def test_full_disk_is_an_error_of_the_insert(tmp_path: Path) -> None:
    path = tmp_path / "c.native"
    path.symlink_to("/dev/full")
    stream = InsertStream(path, lambda _sql: None, Insert("INSERT INTO t", "t", None))
    with pytest.raises(QueryError, match="cannot be put by") as caught:
        stream.append(b"x" * 1_000_000, 1)
    assert caught.value.code == 243
    stream.close()
    assert not path.is_symlink()
