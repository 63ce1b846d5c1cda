"""Where blocks end, compared with blocks that clickhouse-driver itself writes."""

import uuid
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from clickhouse_driver.columns.service import write_column
from clickhouse_driver.connection import ServerInfo
from clickhouse_driver.context import Context

from baliza.embedded.native_protocol import ProtocolError, Reader, string, varint
from baliza.embedded.native_types import Fixed, UnknownType, block_columns, kind_of, skip_block

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)

COLUMNS: list[tuple[str, list[Any]]] = [
    ("UInt8", [1, 2, 3]),
    ("Int256", [-1, 2**200, 0]),
    ("Float64", [1.5, -2.0, 0.0]),
    ("Bool", [True, False, True]),
    ("String", ["", "a" * 127, "b" * 20_000]),
    ("FixedString(4)", ["abcd", "x", ""]),
    ("Date", [date(2026, 11, 21)] * 3),
    ("DateTime", [NOON] * 3),
    ("DateTime64(3, 'UTC')", [NOON] * 3),
    ("UUID", [uuid.UUID(int=7)] * 3),
    ("Enum8('a, (' = 1, 'b' = 2)", ["b", "a, (", "b"]),
    ("Decimal(9, 2)", [Decimal("1.25")] * 3),
    ("Decimal(18, 2)", [Decimal("1.25")] * 3),
    ("Decimal(38, 2)", [Decimal("1.25")] * 3),
    ("Decimal(76, 2)", [Decimal("1.25")] * 3),
    ("Nullable(String)", ["x", None, ""]),
    ("Array(String)", [["a", "b"], [], ["c"]]),
    ("Array(Array(Nullable(UInt16)))", [[[1, None], []], [], [[3]]]),
    ("LowCardinality(String)", ["a", "b", "a"]),
    ("LowCardinality(Nullable(String))", ["a", None, "a"]),
    ("LowCardinality(FixedString(2))", ["ab", "cd", "ab"]),
    ("Array(LowCardinality(String))", [["a"], [], ["b", "a"]]),
    ("Array(LowCardinality(String))", [[], [], []]),
    ("Map(String, Decimal(9, 2))", [{"a": Decimal(1)}, {}, {"b": Decimal(2), "c": Decimal(3)}]),
    ("Map(LowCardinality(String), Array(UInt8))", [{"a": [1]}, {}, {"b": []}]),
    ("Tuple(UInt8, String)", [(1, "a"), (2, "b"), (3, "c")]),
    (
        "Tuple(price Decimal(18, 2), `odd name` LowCardinality(String))",
        [(Decimal(1), "a"), (Decimal(2), "b"), (Decimal(3), "a")],
    ),
    ("SimpleAggregateFunction(sum, UInt64)", [1, 2, 3]),
    ("Nested(a UInt8, b String)", [[(1, "x")], [], [(2, "y"), (3, "z")]]),
]


class Sink:
    """What the driver's column writers need of a socket's buffer."""

    def __init__(self) -> None:
        self.written = bytearray()

    def write(self, data: bytes) -> None:
        self.written += data

    def write_strings(self, items: list[str], encoding: str = "utf-8") -> None:
        for item in items:
            self.written += string(item)

    def write_fixed_strings(self, items: list[str], length: int, encoding: str = "utf-8") -> None:
        for item in items:
            self.written += item.encode().ljust(length, b"\0")


def column_bytes(spec: str, values: list[Any]) -> bytes:
    context = Context()
    context.client_settings = {"strings_as_bytes": False, "strings_encoding": "utf-8", "use_numpy": False}
    context.settings = {}
    context.server_info = ServerInfo("", 26, 9, 2, 54440, "UTC", "", 54440)
    sink = Sink()
    write_column(context, "c", spec, list(values), sink)
    return bytes(sink.written)


def reader_of(payload: bytes, size: int = 64) -> Reader:
    pieces = iter([payload[start : start + size] for start in range(0, len(payload), size)])
    return Reader(lambda _: next(pieces, b""), 10_000_000)


@pytest.mark.parametrize(("spec", "values"), COLUMNS, ids=[spec for spec, _ in COLUMNS])
def test_column_ends_where_the_driver_ended_it(spec: str, values: list[Any]) -> None:
    payload = varint(1) + varint(len(values)) + string("c") + string(spec) + column_bytes(spec, values)
    reader = reader_of(payload + b"!end")
    assert skip_block(reader) == (1, len(values))
    assert reader.take(4) == b"!end"


def test_many_low_cardinality_keys_take_two_bytes() -> None:
    values = [f"v{number}" for number in range(70_000)]
    payload = varint(1) + varint(len(values)) + string("c") + string("LowCardinality(String)")
    reader = reader_of(payload + column_bytes("LowCardinality(String)", values) + b"!end", 65_536)
    skip_block(reader)
    assert reader.take(4) == b"!end"


def test_block_without_rows_still_names_its_columns() -> None:
    payload = varint(2) + varint(0) + string("a") + string("LowCardinality(String)") + string("b") + string("UInt8")
    assert block_columns(reader_of(payload)) == [("a", "LowCardinality(String)"), ("b", "UInt8")]


@pytest.mark.parametrize(
    "spec",
    [
        "AggregateFunction(uniq, UInt64)",
        "JSON",
        "Nonsense",
        "Array(",
        "Array",
        "Array(UInt8",
        "FixedString(x)",
        "",
        "Map(String)",
    ],
)
def test_type_of_unknown_length_is_refused_by_name(spec: str) -> None:
    with pytest.raises(UnknownType) as caught:
        kind_of(spec)
    assert spec in str(caught.value)
    assert caught.value.code == 50


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(UnknownType):
        kind_of("Array(" * 500 + "UInt8" + ")" * 500)


def test_geometry_is_known_by_its_parts() -> None:
    assert kind_of("Polygon") == kind_of("Array(Array(Tuple(Float64, Float64)))")
    assert kind_of("IntervalDay") == Fixed(8)


def test_absurd_number_of_columns_is_refused() -> None:
    with pytest.raises(ProtocolError, match="columns"):
        skip_block(reader_of(varint(1_000_000) + varint(1)))


def test_wrong_number_of_keys_is_refused() -> None:
    good = column_bytes("LowCardinality(String)", ["a", "b"])
    payload = varint(1) + varint(3) + string("c") + string("LowCardinality(String)") + good
    with pytest.raises(ProtocolError, match="2 keys; expected 3"):
        skip_block(reader_of(payload))
