"""Where a block of ClickHouse's Native format ends.

A block does not say how long it is, so its end is found by the types of its columns. Values are passed over, never decoded:
the engine reads them.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from baliza.embedded.native_protocol import ProtocolError, Reader

__all__ = ["Kind", "UnknownType", "block_columns", "kind_of", "skip_block"]

MAX_COLUMNS = 10_000
MAX_DEPTH = 30
LONGEST_SPEC = 64 * 1024

NAMES_BY_WIDTH = {
    1: "Int8 UInt8 Bool Enum8 Nothing",
    2: "Int16 UInt16 BFloat16 Date Enum16",
    4: "Int32 UInt32 Float32 Decimal32 Date32 DateTime Time IPv4",
    8: "Int64 UInt64 Float64 Decimal64 DateTime64 Time64",
    16: "Int128 UInt128 Decimal128 UUID IPv6",
    32: "Int256 UInt256 Decimal256",
}
WIDTHS = {name: width for width, names in NAMES_BY_WIDTH.items() for name in names.split()}
ALIASES = {
    "Point": "Tuple(Float64, Float64)",
    "Ring": "Array(Point)",
    "LineString": "Array(Point)",
    "Polygon": "Array(Ring)",
    "MultiLineString": "Array(LineString)",
    "MultiPolygon": "Array(Polygon)",
}


class UnknownType(ProtocolError):
    """A block has a column whose length cannot be found."""

    def __init__(self, spec: str) -> None:
        super().__init__(f"Columns of type {spec} cannot be sent to the embedded engine.", 50, "UNKNOWN_TYPE")


class Kind(Protocol):
    """A column type, as far as its length goes."""

    def prefix(self, reader: Reader) -> None:
        """Pass over what stands once before the column's values."""

    def values(self, reader: Reader, count: int) -> None:
        """Pass over `count` values."""


@dataclass(frozen=True)
class Fixed:
    """Every value has the same width, in bytes."""

    width: int

    def prefix(self, reader: Reader) -> None:
        """Nothing stands before."""

    def values(self, reader: Reader, count: int) -> None:
        """Pass over `count` values."""
        reader.skip(self.width * count)


@dataclass(frozen=True)
class Text:
    """String."""

    def prefix(self, reader: Reader) -> None:
        """Nothing stands before."""

    def values(self, reader: Reader, count: int) -> None:
        """Pass over `count` values."""
        reader.skip_strings(count)


@dataclass(frozen=True)
class Nullable:
    """A byte per value, then the values."""

    inner: Kind

    def prefix(self, reader: Reader) -> None:
        """What the inner type has."""
        self.inner.prefix(reader)

    def values(self, reader: Reader, count: int) -> None:
        """Pass over `count` values."""
        reader.skip(count)
        self.inner.values(reader, count)


@dataclass(frozen=True)
class Array:
    """Ends as 64-bit offsets, then all elements in one column. A Map is an Array of pairs."""

    inner: Kind

    def prefix(self, reader: Reader) -> None:
        """What the inner type has."""
        self.inner.prefix(reader)

    def values(self, reader: Reader, count: int) -> None:
        """Pass over `count` values."""
        if not count:
            return
        reader.skip(8 * (count - 1))
        self.inner.values(reader, reader.uint64())


@dataclass(frozen=True)
class Tuple:
    """One column after the other."""

    inner: tuple[Kind, ...]

    def prefix(self, reader: Reader) -> None:
        """What the inner types have, in their order."""
        for kind in self.inner:
            kind.prefix(reader)

    def values(self, reader: Reader, count: int) -> None:
        """Pass over `count` values."""
        for kind in self.inner:
            kind.values(reader, count)


@dataclass(frozen=True)
class LowCardinality:
    """A dictionary and keys of 1, 2, 4 or 8 bytes into it."""

    inner: Kind

    def prefix(self, reader: Reader) -> None:
        """The version of the serialization: 64 bits."""
        reader.skip(8)

    def values(self, reader: Reader, count: int) -> None:
        """Pass over `count` values; a nullable dictionary has no null map, its first entry is the null."""
        if not count:
            return
        key_width = 1 << (reader.uint64() & 0x3)
        self.inner.values(reader, reader.uint64())
        keys = reader.uint64()
        if keys != count:
            raise ProtocolError(f"A LowCardinality column has {keys} keys; expected {count}.")
        reader.skip(key_width * keys)


@lru_cache(maxsize=1000)
def kind_of(spec: str) -> Kind:
    """The kind of a type as ClickHouse writes it, for example `Map(LowCardinality(String), Array(Nullable(UInt8)))`."""
    if len(spec) > LONGEST_SPEC:
        raise UnknownType(f"{spec[:60]}…")
    return _parse(spec.strip(), 0)


def _parse(spec: str, depth: int) -> Kind:
    if depth > MAX_DEPTH:
        raise UnknownType(f"{spec[:60]}…")
    name, _, rest = spec.partition("(")
    name = name.strip()
    if name in WIDTHS:
        return Fixed(WIDTHS[name])
    if name == "String":
        return Text()
    if name in ALIASES:
        return _parse(ALIASES[name], depth + 1)
    if name.startswith("Interval"):
        return Fixed(8)
    return _parse_compound(name, _arguments(rest, spec), spec, depth)


def _parse_compound(name: str, given: list[str], spec: str, depth: int) -> Kind:
    match name, given:
        case "FixedString", [width] if width.isdecimal():
            return Fixed(int(width))
        case "Decimal", [precision, *_] if precision.isdecimal():
            return Fixed(_decimal_width(int(precision)))
        case "Nullable", [inner]:
            return Nullable(_parse(inner, depth + 1))
        case "Array", [inner]:
            return Array(_parse(inner, depth + 1))
        case "LowCardinality", [inner]:
            bare = inner.removeprefix("Nullable(").removesuffix(")") if inner.startswith("Nullable(") else inner
            return LowCardinality(_parse(bare, depth + 1))
        case "SimpleAggregateFunction", [_, inner]:
            return _parse(inner, depth + 1)
        case "Map", [key, value]:
            return Array(Tuple((_parse(key, depth + 1), _parse(value, depth + 1))))
        case (("Tuple" | "Nested"), [_, *_]):
            row = Tuple(tuple(_parse(_without_name(one), depth + 1) for one in given))
            return row if name == "Tuple" else Array(row)
    raise UnknownType(spec)


def _decimal_width(precision: int) -> int:
    return next(width for digits, width in ((9, 4), (18, 8), (38, 16), (10_000, 32)) if precision <= digits)


TOKENS = re.compile(r"'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`|[(),]|[^'`(),]+", re.DOTALL)
NAMED = re.compile(r"(?:`(?:[^`\\]|\\.)*`|\w+)\s+(?=\S)", re.DOTALL)


def _arguments(rest: str, spec: str) -> list[str]:
    """The parts between the outer brackets, cut at commas that stand in no inner bracket and no quotes."""
    if not rest.endswith(")"):
        raise UnknownType(spec)
    parts, depth = [""], 0
    for piece in TOKENS.findall(rest[:-1]):
        depth += (piece == "(") - (piece == ")")
        if piece == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += piece
    return [part.strip() for part in parts]


def _without_name(element: str) -> str:
    """The type of a tuple's element: `price Decimal(18, 2)` becomes `Decimal(18, 2)`."""
    named = NAMED.match(element)
    return element[named.end() :] if named else element


def block_columns(reader: Reader) -> list[tuple[str, str]]:
    """Pass over one Native block; gives (name, type) of each column."""
    return _pass_block(reader)[0]


def skip_block(reader: Reader) -> tuple[int, int]:
    """Pass over one Native block; gives how many columns and rows it has."""
    named, rows = _pass_block(reader)
    return len(named), rows


def _pass_block(reader: Reader) -> tuple[list[tuple[str, str]], int]:
    columns, rows = reader.varint(), reader.varint()
    if columns > MAX_COLUMNS:
        raise ProtocolError(f"A block of {columns} columns; at most {MAX_COLUMNS} are taken.")
    named = []
    for _ in range(columns):
        name, spec = reader.string(), reader.string()
        named.append((name, spec))
        kind = kind_of(spec)
        if rows:
            kind.prefix(reader)
            kind.values(reader, rows)
    return named, rows
