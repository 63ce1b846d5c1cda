"""ClickHouse's native TCP protocol, server side, up to revision 54440: bytes to packets and packets to bytes.

No sockets here: `Reader` is given a function that returns the next bytes.
"""

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

__all__ = [
    "REVISION",
    "ClientPacket",
    "Hello",
    "ProtocolError",
    "Query",
    "Reader",
    "data_packet",
    "end_of_stream",
    "exception_packet",
    "header_packet",
    "hello_packet",
    "pong",
    "read_hello",
    "read_query",
    "skip_block_info",
    "string",
    "varint",
    "written_packet",
]

# The newest revision before interserver secrets, tracing, sparse columns and the addendum: all that a local engine needs.
REVISION = 54440
SETTINGS_AS_STRINGS_SINCE = 54429
MAX_STRING = 16 * 1024 * 1024
MAX_SETTINGS = 1000
# One receive; large enough that a batch of 10,000 rows needs few.
RECEIVE_BYTES = 256 * 1024


class ClientPacket:
    """Numbers of the packets that a client sends."""

    HELLO, QUERY, DATA, CANCEL, PING = range(5)


class ProtocolError(Exception):
    """The bytes are not what the protocol allows here; `code` is ClickHouse's number for it.

    The place in the stream is lost, so the connection has to be closed after telling the client.
    """

    def __init__(self, message: str, code: int = 99, name: str = "UNKNOWN_PACKET_FROM_CLIENT") -> None:
        super().__init__(message)
        self.code = code
        self.name = name


@dataclass(frozen=True)
class Hello:
    """Who connects, and to which database."""

    client_name: str
    revision: int
    database: str
    user: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class Query:
    """One query as the client sent it; settings are valid for this query only."""

    query_id: str
    settings: dict[str, str]
    compressed: bool
    text: str


class Reader:
    """A growing window on the bytes of one client. Blocks when it must receive; raises EOFError when the client left.

    `limit` is the most that one packet may hold in memory, in bytes.
    """

    def __init__(self, receive: Callable[[int], bytes], limit: int) -> None:
        self._receive = receive
        self._limit = limit
        self.buffer = bytearray()
        self.position = 0

    def fill_to(self, end: int) -> None:
        """Receive until the buffer holds `end` bytes."""
        if end > self._limit:
            raise ProtocolError(
                f"A packet of more than {self._limit} bytes; send smaller blocks (insert_block_size).",
                131,
                "TOO_LARGE_STRING_SIZE",
            )
        while len(self.buffer) < end:
            chunk = self._receive(RECEIVE_BYTES)
            if not chunk:
                raise EOFError("the client closed the connection inside a packet")
            self.buffer += chunk

    def skip(self, size: int) -> None:
        """Pass over `size` bytes."""
        self.fill_to(self.position + size)
        self.position += size

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        start = self.position
        self.skip(size)
        return bytes(self.buffer[start : self.position])

    def varint(self) -> int:
        """An unsigned LEB128 number of at most 64 bits."""
        value = 0
        for shift in range(0, 64, 7):
            if self.position >= len(self.buffer):
                self.fill_to(self.position + 1)
            byte = self.buffer[self.position]
            self.position += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
        raise ProtocolError("A number is longer than 64 bits.")

    def uint64(self) -> int:
        """A little-endian 64-bit number."""
        return int.from_bytes(self.take(8), "little")

    def string(self) -> str:
        """A length and that many bytes of UTF-8; undecodable bytes are replaced."""
        size = self.varint()
        if size > MAX_STRING:
            raise ProtocolError(f"A string of {size} bytes; at most {MAX_STRING} are taken.", 131, "TOO_LARGE_STRING_SIZE")
        return self.take(size).decode("utf-8", "replace")

    def skip_strings(self, count: int) -> None:
        """Pass over `count` strings without decoding them: the hot loop of an insert, so it works on locals."""
        buffer, position, done = self.buffer, self.position, 0
        while done < count:
            try:
                while done < count:
                    size = buffer[position]
                    if size < 0x80:
                        position += size + 1
                    else:
                        size, position = _long_size(buffer, position)
                        position += size
                    done += 1
            except IndexError:
                self.fill_to(max(position, len(buffer)) + 1)
        self.fill_to(position)
        self.position = position

    def forget(self) -> None:
        """Drop what was read, so that the buffer does not grow from packet to packet."""
        del self.buffer[: self.position]
        self.position = 0


def _long_size(buffer: bytearray, position: int) -> tuple[int, int]:
    """Size of a string whose length takes several bytes, and where its text begins; IndexError when bytes are missing."""
    size = shift = 0
    while shift < 64:
        byte = buffer[position]
        position += 1
        size |= (byte & 0x7F) << shift
        if byte < 0x80:
            return size, position
        shift += 7
    raise ProtocolError("A string's length is longer than 64 bits.")


def read_hello(reader: Reader) -> Hello:
    """The rest of a Hello packet, its number being read already."""
    client_name = reader.string()
    reader.varint()
    reader.varint()
    return Hello(client_name, reader.varint(), reader.string(), reader.string(), reader.string())


def read_query(reader: Reader, revision: int) -> Query:
    """The rest of a Query packet; `revision` is the smaller of both sides' revisions."""
    query_id = reader.string()
    _skip_client_info(reader, revision)
    settings = _read_settings(reader, revision)
    reader.varint()  # the stage: always complete, for there are no other servers
    compressed = bool(reader.varint())
    return Query(query_id, settings, compressed, reader.string())


def _skip_client_info(reader: Reader, revision: int) -> None:
    if revision < 54032 or not reader.take(1)[0]:
        return
    reader.skip_strings(3)  # initial user, query id, address
    if reader.take(1)[0] != 1:
        raise ProtocolError("Only clients that speak TCP are understood; this one says that it is an HTTP proxy.")
    reader.skip_strings(3)  # operating system user, host, client name
    for _ in range(3):
        reader.varint()
    if revision >= 54060:
        reader.skip_strings(1)  # quota key
    if revision >= 54401:
        reader.varint()


def _read_settings(reader: Reader, revision: int) -> dict[str, str]:
    settings: dict[str, str] = {}
    while name := reader.string():
        if revision < SETTINGS_AS_STRINGS_SINCE:
            raise ProtocolError(
                f"Setting {name!r} came in the binary form of clients before 20.1; use a newer client or no settings."
            )
        if len(settings) >= MAX_SETTINGS:
            raise ProtocolError(f"More than {MAX_SETTINGS} settings in one query.")
        reader.skip(1)  # flags: importance makes no difference, an unknown setting is always an error here
        settings[name] = reader.string()
    return settings


def skip_block_info(reader: Reader) -> None:
    """Pass over the numbered fields before a block."""
    sizes = {1: 1, 2: 4}
    while number := reader.varint():
        if number not in sizes:
            raise ProtocolError(f"Block info has field {number}; expected 1 or 2.")
        reader.skip(sizes[number])


def varint(value: int) -> bytes:
    """An unsigned number as LEB128."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def string(text: str | bytes) -> bytes:
    """A string as length and bytes."""
    raw = text if isinstance(text, bytes) else text.encode("utf-8", "replace")
    return varint(len(raw)) + raw


def hello_packet(client_revision: int, version: tuple[int, int, int], timezone: str, display_name: str) -> bytes:
    """The server's Hello, as far as the client's revision lets it be read."""
    parts = [b"\x00", string("ClickHouse"), varint(version[0]), varint(version[1]), varint(REVISION)]
    if client_revision >= 54058:
        parts.append(string(timezone))
    if client_revision >= 54372:
        parts.append(string(display_name))
    if client_revision >= 54401:
        parts.append(varint(version[2]))
    return b"".join(parts)


BLOCK_INFO = b"\x01\x00\x02\xff\xff\xff\xff\x00"
DATA_HEAD = b"\x01" + string("") + BLOCK_INFO


def data_packet(block: bytes) -> bytes:
    """One block in ClickHouse's Native format as a Data packet."""
    return DATA_HEAD + block


def header_packet(columns: Iterable[tuple[str, str]]) -> bytes:
    """A Data packet without rows that tells (name, type) of each column."""
    named = [string(name) + string(kind) for name, kind in columns]
    return DATA_HEAD + varint(len(named)) + varint(0) + b"".join(named)


def exception_packet(code: int, name: str, message: str) -> bytes:
    """An exception as ClickHouse's servers send it: the error's name stands at the end of the message."""
    text = f"DB::Exception: {message} ({name})"
    return b"\x02" + struct.pack("<i", code) + string("DB::Exception") + string(text) + string("") + b"\x00"


def written_packet(revision: int, rows: int, size: int) -> bytes:
    """Progress of an insert: rows and bytes written."""
    if revision < 54420:
        return b""
    return b"\x03\x00\x00\x00" + varint(rows) + varint(size)


def pong() -> bytes:
    """The answer to Ping."""
    return b"\x04"


def end_of_stream() -> bytes:
    """The end of a query's answer."""
    return b"\x05"
