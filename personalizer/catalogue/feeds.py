"""Feeds as shops have them, read as a stream: XML (RSS 2.0, Atom), TSV, CSV, JSON lines. Memory does not grow with a feed.

A feed is strangers' work even when a friend sends it: no entity is expanded, nothing is fetched, everything has a size.
"""

import csv
import gzip
import io
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, BinaryIO, Final, Literal, TypeAlias
from xml.parsers import expat

import msgspec

from baliza.errors import BadRequest, TooLarge
from personalizer.catalogue.rows import attribute_name

__all__ = ["FORMATS", "BrokenFeed", "FeedFormat", "RawRow", "opened", "rows_of", "sniffed"]

FeedFormat = Literal["google-xml", "rss", "tsv", "csv", "jsonl", "json"]
FORMATS: Final[tuple[str, ...]] = ("google-xml", "rss", "tsv", "csv", "jsonl", "json")

Source: TypeAlias = "io.BufferedReader[Any]"
CHUNK: Final = 64 * 1024
MAX_LINE: Final = 4 * 1024 * 1024  # characters of one row of text
MAX_FIELD: Final = 1024 * 1024  # of one field
MAX_XML_TEXT: Final = 64 * 1024  # of one element that is kept
MAX_XML_UNREAD: Final = 512 * 1024  # bytes in which the parser found no end of a tag or comment; it costs their square
MAX_XML_DEPTH: Final = 64
MAX_JSON: Final = 64 * 1024 * 1024  # an array of items is read as a whole
GZIP: Final = b"\x1f\x8b"
UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")
ITEM_NAMES: Final = frozenset({"item", "entry"})
ROOTS: Final = frozenset({"rss", "feed", "rdf"})
DELIMITERS: Final = ",;|"


class BrokenFeed(BadRequest):
    """The file as a whole cannot be read; nothing of it was taken."""

    title = "Not a feed"


@dataclass(frozen=True)
class RawRow:
    """One row as it came. line: where it begins, from 1. problem: why nothing can be made of it; then values are empty."""

    line: int
    values: Mapping[str, object]
    problem: str = ""


class _Limited(io.RawIOBase):
    """A stream that ends with TooLarge after so many bytes."""

    def __init__(self, stream: Any, most: int) -> None:
        super().__init__()
        self._stream, self._left, self._most = stream, most, most

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        found = self._stream.read(min(len(buffer), CHUNK))
        self._left -= len(found)
        if self._left < 0:
            raise TooLarge(f"expected a feed of at most {self._most} bytes without compression, got more")
        buffer[: len(found)] = found
        return len(found)


def opened(stream: BinaryIO, most: int) -> Source:
    """The stream without compression (gzip is known by its first bytes); TooLarge while reading more than `most` bytes."""
    peekable: Source = io.BufferedReader(_Limited(stream, most), CHUNK)
    if peekable.peek(2)[:2] != GZIP:
        return peekable
    return io.BufferedReader(_Limited(gzip.GzipFile(fileobj=peekable), most), CHUNK)


def sniffed(stream: Source) -> FeedFormat:
    """The format, by the first bytes that are not blank; nothing is taken from the stream. BrokenFeed when it is empty."""
    head = _told(lambda: stream.peek(CHUNK))
    text = head.decode("utf-16" if head[:2] in UTF_16 else "utf-8-sig", "ignore").lstrip("\ufeff \t\r\n")
    if not text:
        raise BrokenFeed("expected a feed, got an empty file")
    if text[0] == "<":
        return "google-xml"
    if text[0] in "{[":
        return "jsonl" if text[0] == "{" else "json"
    return "tsv" if "\t" in text.partition("\n")[0] else "csv"


def rows_of(stream: Source, kind: FeedFormat) -> Iterator[RawRow]:
    """The rows of a feed. Raises BrokenFeed, maybe after many rows: take nothing before the end."""
    readers: dict[str, Callable[[Source], Iterator[RawRow]]] = {
        "google-xml": _xml_rows,
        "rss": _xml_rows,
        "tsv": lambda source: _delimited_rows(source, "\t"),
        "csv": lambda source: _delimited_rows(source, ""),
        "jsonl": _json_lines,
        "json": _json_array,
    }
    rows = readers[kind](stream)
    while (row := _told(lambda: next(rows, None))) is not None:
        yield row


def _told(read: Callable[[], Any]) -> Any:
    """What goes wrong below the format, in words."""
    try:
        return read()
    except UnicodeError as error:
        raise BrokenFeed(f"expected text in UTF-8, got other bytes: {error}; save the feed as UTF-8") from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise BrokenFeed(f"the compressed feed is damaged or cut off: {error}") from None


# --- delimited text


CUT_OFF: Final = "the file looks cut off; if it is whole, end its last line with a line break"


def _lines(stream: Source) -> Iterator[str]:
    head = stream.peek(2)[:2]
    text = io.TextIOWrapper(stream, "utf-16" if head in UTF_16 else "utf-8-sig", "strict", newline="")
    try:
        while line := text.readline(MAX_LINE):
            if len(line) >= MAX_LINE:
                raise BrokenFeed(f"expected lines of less than {MAX_LINE} characters, got a longer one")
            yield line
    finally:
        if not stream.closed:
            text.detach()  # closing the stream is not ours to do


def _delimited_rows(stream: Source, delimiter: str) -> Iterator[RawRow]:
    lines = _lines(stream)
    first = next(lines, "")
    delimiter = delimiter or max(DELIMITERS, key=first.count)
    csv.field_size_limit(MAX_FIELD)
    heads = next(csv.reader([first], delimiter=delimiter), [])
    names = [attribute_name(head) for head in heads]
    if "id" not in names:
        raise BrokenFeed(
            f"line 1: expected the names of columns, one of them id, got {first.strip()[:200]!r}; "
            "say the format if it is another one"
        )
    last = _Last(lines)
    rows = csv.reader(last, delimiter=delimiter, strict=True)
    fewest = len(names)  # spreadsheets leave empty fields out at the end
    while True:
        line = rows.line_num + 2
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            if "end of data" in str(error) or "limit" in str(error):
                raise BrokenFeed(f"line {line}: a quotation mark opens and nothing closes it ({error})") from None
            yield RawRow(line, {}, f"quotation marks: {error}; a mark within a quoted field is written twice")
            continue
        if row and last.unfinished and len(row) < fewest:
            raise BrokenFeed(f"line {line}: expected {fewest} fields or a line break at the end, got {len(row)}; {CUT_OFF}")
        if row:
            fewest = min(fewest, len(row))
            yield _delimited_row(line, names, row)


class _Last(Iterator[str]):
    """The lines; unfinished: the last one taken ends without a line break, as only the last of a file can."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines, self.unfinished = lines, False

    def __next__(self) -> str:
        line = next(self._lines)
        self.unfinished = not line.endswith(("\n", "\r"))
        return line


def _delimited_row(line: int, names: list[str], row: list[str]) -> RawRow:
    # Spreadsheets add empty fields, too.
    if len(row) > len(names) and any(field.strip() for field in row[len(names) :]):
        return RawRow(line, {}, f"expected {len(names)} fields, as the first line has, got {len(row)}")
    values: dict[str, object] = {}
    for name, value in zip(names, row, strict=False):
        if value and not values.get(name):
            values[name] = value
    if not values:
        return RawRow(line, {}, "expected fields, got an empty row")
    return RawRow(line, values)


# --- JSON

_json_object = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal)
_json_objects = msgspec.json.Decoder(list[Any], float_hook=Decimal)


def _json_lines(stream: Source) -> Iterator[RawRow]:
    seen = False
    for number, line in enumerate(_lines(stream), start=1):
        if not line.strip():
            continue
        try:
            values = _json_object.decode(line)
        except (msgspec.MsgspecError, ArithmeticError, RecursionError) as error:
            if not seen:
                raise BrokenFeed(
                    f"line {number}: expected a JSON object in each line, got something else: {error}"
                ) from None
            if not line.endswith(("\n", "\r")):
                raise BrokenFeed(f"line {number}: expected a JSON object, got {error}; {CUT_OFF}") from None
            yield RawRow(number, {}, f"expected a JSON object: {error}")
            continue
        seen = True
        yield RawRow(number, _named(values))


def _json_array(stream: Source) -> Iterator[RawRow]:
    """An array of items, an object whose `items` is one, or one item. line: which item, from 1."""
    body = stream.read(MAX_JSON + 1)
    if len(body) > MAX_JSON:
        raise BrokenFeed(
            f"expected a JSON array of at most {MAX_JSON} bytes, got more; send one object in each line instead"
        )
    try:
        found = _json_objects.decode(body) if body.lstrip()[:1] == b"[" else _items_of(_json_object.decode(body))
    except (msgspec.MsgspecError, ArithmeticError, RecursionError) as error:
        raise BrokenFeed(f"expected a JSON array of items: {error}") from None
    if not isinstance(found, list):
        raise BrokenFeed("expected a JSON array of items, or an object whose `items` is one")
    for number, values in enumerate(found, start=1):
        if isinstance(values, dict):
            yield RawRow(number, _named(values))
        else:
            yield RawRow(number, {}, f"expected an object with an id, got {type(values).__name__}")


def _items_of(body: dict[str, Any]) -> object:
    return body.get("items", [body])


def _named(values: Mapping[str, Any]) -> dict[str, object]:
    return {attribute_name(name): value for name, value in values.items()}


# --- XML


def _xml_rows(stream: Source) -> Iterator[RawRow]:
    # Scripts that make feeds often leave blank lines before them, which XML does not allow.
    blank = stream.peek(CHUNK)
    blank = blank[: len(blank) - len(blank.lstrip())]
    reader = _XmlReader(stream.read(len(blank)).count(b"\n"))
    while chunk := stream.read(CHUNK):
        reader.feed(chunk)
        yield from reader.taken()
    reader.feed(b"", last=True)
    yield from reader.taken()


class _XmlReader:
    """Collects the children of items. Namespaces are read as people write them: g:price and price are one name."""

    def __init__(self, lines_before: int = 0) -> None:
        self._before = lines_before
        self._parser = parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler, parser.EndElementHandler = self._start, self._end
        parser.CharacterDataHandler = self._text
        parser.EntityDeclHandler = self._refuse_entities
        parser.UnparsedEntityDeclHandler = self._refuse_entities
        parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
        self._rows: list[RawRow] = []
        self._path: list[str] = []
        self._item_depth = 0  # of the item that is open, 0 when none is
        self._line = self._fed = 0
        self._values: dict[str, object] = {}
        self._own: set[str] = set()  # attributes that came with a prefix: they win over RSS's and Atom's own
        self._name, self._parts, self._length = "", [""], 0

    def feed(self, chunk: bytes, last: bool = False) -> None:
        """Take some more. BrokenFeed when it is not XML, or no feed, or unreasonable."""
        self._fed += len(chunk)
        try:
            self._parser.Parse(chunk, last)
        except expat.ExpatError as error:
            what = expat.ErrorString(error.code)
            raise BrokenFeed(
                f"line {error.lineno + self._before}: expected XML that is whole, got an error: {what}"
            ) from None
        except (ValueError, LookupError) as error:
            raise BrokenFeed(f"expected XML in an encoding that is known: {error}") from None
        if self._fed - self._parser.CurrentByteIndex > MAX_XML_UNREAD:
            raise BrokenFeed(f"line {self._now()}: expected an end of what begins there, got none so far")

    def taken(self) -> list[RawRow]:
        rows, self._rows = self._rows, []
        return rows

    def _now(self) -> int:
        return self._parser.CurrentLineNumber + self._before

    def _refuse_entities(self, *_: object) -> None:
        raise BrokenFeed(f"line {self._now()}: a feed must not declare entities")

    def _start(self, qualified: str, attributes: dict[str, str]) -> None:
        name = qualified.rpartition(":")[2].lower()
        if not self._path and name not in ROOTS:
            raise BrokenFeed(f"expected a feed that begins with <rss> or <feed>, got <{qualified[:50]}>")
        self._path.append(name)
        if len(self._path) > MAX_XML_DEPTH:
            raise BrokenFeed(f"line {self._now()}: expected at most {MAX_XML_DEPTH} elements in each other")
        if not self._item_depth and name in ITEM_NAMES:
            self._item_depth, self._line = len(self._path), self._now()
            self._values, self._own = {}, set()
        elif self._is_attribute():
            self._name, self._parts, self._length = qualified, [], 0
            if name == "link" and attributes.get("href") and attributes.get("rel", "alternate") == "alternate":
                self._parts = [attributes["href"]]

    def _is_attribute(self) -> bool:
        """Only an item's own children: the price of its shipping is another one's."""
        return bool(self._item_depth) and len(self._path) == self._item_depth + 1

    def _text(self, text: str) -> None:
        if self._is_attribute() and self._length < MAX_XML_TEXT:
            self._parts.append(text[: MAX_XML_TEXT - self._length])
            self._length += len(text)

    def _end(self, _qualified: str) -> None:
        if self._is_attribute():
            self._keep(attribute_name(self._name), "".join(self._parts), ":" in self._name)
        elif len(self._path) == self._item_depth:
            self._rows.append(RawRow(self._line, self._values))
            self._item_depth = 0
        self._path.pop()

    def _keep(self, name: str, value: str, own: bool) -> None:
        if not value.strip() or (name in self._own and not own):
            return
        if own and name not in self._own:
            self._own.add(name)
        elif name in self._values:
            return  # of what is repeated the first counts
        self._values[name] = value.strip()
