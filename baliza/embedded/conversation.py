"""One client's conversation with the embedded engine, from Hello to good-bye."""

import contextlib
import hmac
import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

from baliza.embedded import native_protocol as wire
from baliza.embedded.engine import DataInsert, Engine, EngineSession, InsertStream, QueryError, header_of
from baliza.embedded.native_protocol import ClientPacket, ProtocolError
from baliza.embedded.native_types import skip_block
from baliza.embedded.statements import StatementError, data_insert, without_format

__all__ = ["Access", "Conversation"]

log = logging.getLogger(__name__)

HELLO_TIMEOUT_S = 10
IDLE_TIMEOUT_S = 3600
PACKET_TIMEOUT_S = 300
HELLO_BYTES = 64 * 1024
PACKET_BYTES = 256 * 1024 * 1024
# Answers are gathered up to this size before they are sent: one system call for a small answer.
SEND_BYTES = 64 * 1024


@dataclass(frozen=True)
class Access:
    """Who may come in, and whether there is room: `full` says so at the moment of asking."""

    user: str
    password: str
    full: Callable[[], bool]


class Conversation:
    """Answers one client until it leaves. `busy` is true while a query runs; `stopping` ends it after that query.

    `watching(socket, tag)` guards a running query: it kills the query when the client leaves or cancels, and the context
    value says so when called.
    """

    def __init__(
        self,
        sock: socket.socket,
        tag: str,
        engine: Engine,
        access: Access,
        watching: Callable[[socket.socket, str], AbstractContextManager[Callable[[], bool]]],
    ) -> None:
        self.sock = sock
        self.tag = tag
        self.busy = False
        self.stopping = False
        self._engine = engine
        self._access = access
        self._watching = watching
        self._reader = wire.Reader(sock.recv, HELLO_BYTES)
        self._revision = wire.REVISION
        self._outgoing: list[bytes] = []

    def run(self) -> None:
        """Talk until the client leaves or breaks the protocol; frees the engine's session and closes the socket."""
        try:
            self._talk()
        except (EOFError, OSError) as error:
            log.debug("client %s left: %s", self.tag, error)
        except ProtocolError as error:
            log.info("client %s broke the protocol: %s", self.tag, error)
            self._part(wire.exception_packet(error.code, error.name, str(error)))
        except QueryError as error:
            self._part(wire.exception_packet(error.code, error.name, str(error)))
        finally:
            self.sock.close()

    def _part(self, last: bytes) -> None:
        """Send the last packet and wait for the client to read it; a close with unread bytes would destroy it."""
        with contextlib.suppress(OSError):
            self.sock.settimeout(2)
            self.sock.sendall(last)
            self.sock.shutdown(socket.SHUT_WR)
            for _ in range(1000):
                if not self.sock.recv(wire.RECEIVE_BYTES):
                    return

    def _talk(self) -> None:
        hello = self._greet()
        session = self._engine.open(self.tag, hello.database)
        try:
            self._send(wire.hello_packet(self._revision, self._engine.version, "UTC", "baliza embedded"))
            self._flush()
            self._reader = wire.Reader(self.sock.recv, PACKET_BYTES)
            while not self.stopping:
                self._reader.forget()
                self._answer_packet(session)
        finally:
            session.close()

    def _greet(self) -> wire.Hello:
        self.sock.settimeout(HELLO_TIMEOUT_S)
        if (packet := self._reader.varint()) != ClientPacket.HELLO:
            raise ProtocolError(f"Packet {packet} came first; expected Hello (0) of ClickHouse's native protocol.", 101)
        hello = wire.read_hello(self._reader)
        self._revision = min(hello.revision, wire.REVISION)
        if self._access.full():
            raise QueryError(202, "TOO_MANY_SIMULTANEOUS_QUERIES", "Too many connections; close one and try again.")
        known = hmac.compare_digest(hello.user.encode(), self._access.user.encode())
        if not hmac.compare_digest(hello.password.encode(), self._access.password.encode()) or not known:
            raise QueryError(516, "AUTHENTICATION_FAILED", f"{hello.user}: Authentication failed: wrong user or password.")
        return hello

    def _answer_packet(self, session: EngineSession) -> None:
        self.sock.settimeout(IDLE_TIMEOUT_S)
        packet = self._reader.varint()
        self.sock.settimeout(PACKET_TIMEOUT_S)
        match packet:
            case ClientPacket.PING:
                self._send(wire.pong())
            case ClientPacket.QUERY:
                self.busy = True
                try:
                    self._answer_query(session, wire.read_query(self._reader, self._revision))
                finally:
                    self.busy = False
            case ClientPacket.CANCEL:
                log.debug("client %s cancelled what had ended already", self.tag)
            case _:
                raise ProtocolError(f"Packet {packet} came; expected Query (1), Cancel (3) or Ping (4).")
        self._flush()

    def _answer_query(self, session: EngineSession, query: wire.Query) -> None:
        if query.compressed:
            raise ProtocolError(
                "compression is not supported by the embedded engine; connect with compression=False",
                89,
                "UNKNOWN_COMPRESSION_METHOD",
            )
        try:
            self._refuse_external_tables()
            insert = data_insert(query.text)
            with session.with_settings(query.settings) as ready:
                if insert:
                    self._insert(ready, insert)
                else:
                    self._run(ready, without_format(query.text))
            self._send(wire.end_of_stream())
        except (QueryError, StatementError) as error:
            self._send(wire.exception_packet(error.code, error.name, str(error)))

    def _refuse_external_tables(self) -> None:
        tables = sum(1 for _ in self._blocks())
        if tables:
            message = "External tables are not supported by the embedded engine; use a subquery."
            raise QueryError(48, "NOT_IMPLEMENTED", message)

    def _blocks(self) -> Iterator[tuple[bytes, int]]:
        """The blocks that the client sends and the rows of each, up to the empty block that ends them."""
        while True:
            self._reader.forget()
            if (packet := self._reader.varint()) != ClientPacket.DATA:
                raise ProtocolError(f"Packet {packet} came; expected Data (2).")
            self._reader.skip_strings(1)  # name of the external table
            wire.skip_block_info(self._reader)
            start = self._reader.position
            columns, rows = skip_block(self._reader)
            if not columns:
                return
            if rows:
                with memoryview(self._reader.buffer) as buffer:
                    block = bytes(buffer[start : self._reader.position])
                yield block, rows

    def _run(self, session: EngineSession, sql: str) -> None:
        answered = False
        with self._watching(self.sock, self.tag) as cancelled, contextlib.closing(session.answer(sql)) as blocks:
            for block in blocks:
                if cancelled():
                    return
                if not answered and (columns := header_of(block)):
                    self._send(wire.header_packet(columns))
                answered = True
                self._send(wire.data_packet(block))
        if not answered and (columns := session.columns(sql)):
            self._send(wire.header_packet(columns))

    def _insert(self, session: EngineSession, insert: DataInsert) -> None:
        columns, stream = session.insert(insert)
        with contextlib.closing(stream):
            self._send(wire.header_packet(columns))
            self._flush()
            self._fill(stream)
            rows, size = stream.finish()
        self._send(wire.written_packet(self._revision, rows, size))

    def _fill(self, stream: InsertStream) -> None:
        """Put every block in. After a refused block the rest is read and dropped, so that the connection stays usable."""
        refused: QueryError | None = None
        for block, rows in self._blocks():
            if refused:
                continue
            try:
                stream.append(block, rows)
            except QueryError as error:
                refused = error
        if refused:
            raise refused

    def _send(self, packet: bytes) -> None:
        self._outgoing.append(packet)
        if len(packet) >= SEND_BYTES or sum(map(len, self._outgoing)) >= SEND_BYTES:
            self._flush()

    def _flush(self) -> None:
        if self._outgoing:
            self.sock.sendall(b"".join(self._outgoing))
            self._outgoing.clear()
