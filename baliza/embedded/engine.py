"""The ClickHouse engine inside this process (chDB): sessions, answers as Native blocks, inserts of Native blocks, errors."""

import contextlib
import json
import logging
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from baliza.embedded import statements
from baliza.embedded.native_protocol import Reader
from baliza.embedded.native_types import UnknownType, block_columns, skip_block
from baliza.embedded.unwritten_tokens import forget_unwritten_tokens

__all__ = ["DataInsert", "Engine", "EngineSession", "InsertStream", "QueryError", "header_of", "parse_error", "split_blocks"]

log = logging.getLogger(__name__)

DataInsert = statements.Insert | statements.InsertSelect
ERROR = re.compile(
    r"Code: (?P<code>\d+)\. DB::\w*?Exception: (?P<message>.*?)"
    r"(?: \((?P<name>[A-Z][A-Z0-9_]+)\))?(?:\.? \(version [^)]*\))?\s*$",
    re.DOTALL,
)
NOT_STREAMED = "Streaming query is not supported"


class QueryError(Exception):
    """The engine refused or stopped a statement; `code` and `name` are ClickHouse's."""

    def __init__(self, code: int, name: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.name = name


def parse_error(text: str) -> QueryError:
    """The error in the engine's own words: `Code: 60. DB::Exception: … (UNKNOWN_TABLE)`."""
    found = ERROR.search(text)
    if not found:
        return QueryError(1002, "UNKNOWN_EXCEPTION", text.strip())
    return QueryError(int(found["code"]), found["name"] or "UNKNOWN_EXCEPTION", found["message"].strip())


@contextlib.contextmanager
def _engine_errors() -> Iterator[None]:
    try:
        yield
    except (RuntimeError, ValueError, TypeError) as error:
        raise parse_error(str(error)) from None
    except Exception as error:
        if type(error).__name__ != "ChdbError":
            raise
        raise parse_error(str(error)) from None


def split_blocks(payload: bytes) -> Iterator[bytes]:
    """The blocks of Native bytes one by one; bytes with a type whose length is unknown are taken as one block."""
    reader = _reader_of(payload)
    start = 0
    try:
        while reader.position < len(payload):
            start = reader.position
            skip_block(reader)
            yield payload[start : reader.position]
    except UnknownType:
        yield payload[start:]


def header_of(block: bytes) -> list[tuple[str, str]]:
    """(name, type) of a Native block's columns; empty when one has a type whose length is unknown."""
    try:
        return block_columns(_reader_of(block))
    except UnknownType:
        return []


def _reader_of(payload: bytes) -> Reader:
    reader = Reader(lambda _: b"", len(payload))
    reader.buffer += payload
    return reader


def _empty(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for left_over in folder.iterdir():
        left_over.unlink()


class Engine:
    """One data directory, opened. Sessions of one engine run in parallel, each in a thread of its own."""

    def __init__(self, data_dir: Path, options: Mapping[str, str], database: str) -> None:
        path = data_dir.resolve() / "store"
        self._spool = data_dir.resolve() / "incoming"
        _empty(self._spool)
        for repaired in forget_unwritten_tokens(path):
            log.warning("killed inside an insert: its token is out of %s, so that it can be repeated", repaired)
        # The engine reads the zone once, when it is loaded.
        os.environ["TZ"] = "UTC"
        time.tzset()
        # chDB loads pyarrow for formats that are never used here, if it can find it: 40 MB.
        sys.modules.setdefault("pyarrow", None)  # type: ignore[arg-type]
        from chdb.session import Session

        self._session_class: Any = Session
        self._address = f"{path}?{urlencode(options)}" if options else str(path)
        self._control = self._connect()
        self._lock = threading.Lock()
        self._query(f"CREATE DATABASE IF NOT EXISTS `{database}`")
        self.version = self._read_version()

    def _connect(self) -> Any:
        with _engine_errors():
            return self._session_class(self._address)

    def _query(self, sql: str, output: str = "TabSeparated") -> bytes:
        with self._lock, _engine_errors():
            return bytes(self._control.query(sql, output).bytes())

    def _read_version(self) -> tuple[int, int, int]:
        major, minor, patch = self._query("SELECT version()").decode().strip().split(".")[:3]
        return int(major), int(minor), int(patch)

    def open(self, tag: str, database: str) -> "EngineSession":
        """A new session in `database`; `tag` (one word) is what `kill` finds its queries by."""
        session = EngineSession(self._connect, tag, self._spool)
        try:
            if database:
                session.use(database)
        except QueryError:
            session.close()
            raise
        return session

    def kill(self, tag: str) -> None:
        """Stop what the session with this tag runs now. Does not wait for it."""
        self._query(f"KILL QUERY WHERE startsWith(Settings['log_comment'], {statements.quoted(tag + ' ')}) ASYNC")

    def close(self) -> None:
        """Close the engine; every session has to be closed before."""
        with self._lock:
            self._control.close()


class InsertStream:
    """An INSERT under way: blocks in Native format go in, `finish` writes them, all or none where the table can.

    The blocks wait in a file. chDB's own insert stream would save it, but reports success when the write failed.
    """

    def __init__(self, path: Path, run: Callable[[str], object], insert: DataInsert) -> None:
        self._path = path
        self._run = run
        self._insert = insert
        self._rows = 0
        with _disk_errors():
            self._file = path.open("wb")

    def append(self, block: bytes, rows: int) -> None:
        """Put one block by."""
        with _disk_errors():
            self._file.write(block)
        self._rows += rows

    def finish(self) -> tuple[int, int]:
        """Write what was put by; gives rows and bytes. Blocks until the engine has them on disk."""
        with _disk_errors():
            size = self._file.tell()
            self._file.close()
        if self._rows:
            self._run(self._insert.from_file(str(self._path)))
        return self._rows, size

    def close(self) -> None:
        """Forget what was not written."""
        with contextlib.suppress(OSError):
            self._file.close()
        self._path.unlink(missing_ok=True)


@contextlib.contextmanager
def _disk_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise QueryError(243, "NOT_ENOUGH_SPACE", f"The rows of the insert cannot be put by: {error}") from error


class EngineSession:
    """One client's session: its current database, temporary tables and the settings of the query that runs."""

    def __init__(self, connect: Callable[[], Any], tag: str, spool: Path) -> None:
        self._connect = connect
        self._session = connect()
        self._tag = tag
        self._spool = spool
        self._applied: dict[str, str] = {}
        # The structure of the last insert from input(), which says by itself what its columns are.
        self._structure, self._columns = "", list[tuple[str, str]]()

    def use(self, database: str) -> None:
        """Make this database the current one."""
        self._run(f"USE `{database.replace('`', '``')}`")

    def close(self) -> None:
        """Give the session back."""
        self._session.close()

    @contextlib.contextmanager
    def with_settings(self, settings: Mapping[str, str]) -> Iterator["EngineSession"]:
        """The session to run one query in with these settings. Settings stay applied until a query wants others.

        `readonly` cannot be taken back once it is set, so such a query gets a session that is thrown away after it.
        """
        wanted = dict(settings)
        wanted["log_comment"] = f"{self._tag} {settings.get('log_comment', '')}"
        if "readonly" not in wanted:
            self._apply(wanted)
            yield self
            return
        current = self._run("SELECT currentDatabase()", "TabSeparatedRaw").decode().rstrip("\n")
        once = EngineSession(self._connect, self._tag, self._spool)
        try:
            once.use(current)
            once._apply(wanted)
            yield once
        finally:
            once.close()

    def _apply(self, wanted: dict[str, str]) -> None:
        changes: dict[str, str | None] = {name: None for name in self._applied if name not in wanted}
        changes |= {name: value for name, value in wanted.items() if self._applied.get(name) != value}
        if not changes:
            return
        sql = statements.set_statement(changes)
        self._applied |= dict.fromkeys(changes, "")
        try:
            self._run(sql)
        except QueryError:
            self._reset()
            raise
        self._applied = wanted

    def _reset(self) -> None:
        """Put every setting back after a SET that failed, one by one: the unknown one must not keep the others."""
        for name in self._applied:
            with contextlib.suppress(QueryError):
                self._run(statements.set_statement({name: None}))
        self._applied = {}

    def _run(self, sql: str, output: str = "Native") -> bytes:
        with _engine_errors():
            return bytes(self._session.query(sql, output).bytes())

    def answer(self, sql: str) -> Generator[bytes, None, None]:
        """Run any statement but a data insert; its rows as Native blocks, none for a statement without an answer."""
        if statements.is_select(sql):
            try:
                yield from self._stream(sql)
            except QueryError as error:
                if NOT_STREAMED not in str(error):
                    raise
            else:
                return
        yield from split_blocks(self._run(sql))

    def _stream(self, sql: str) -> Iterator[bytes]:
        with _engine_errors():
            result = self._session.send_query(sql, "Native")
        try:
            while True:
                with _engine_errors():
                    chunk = result.fetch()
                if chunk is None:
                    return
                yield bytes(chunk.bytes())
        finally:
            with contextlib.suppress(QueryError), _engine_errors():
                result.cancel()

    def columns(self, sql: str) -> list[tuple[str, str]]:
        """(name, type) of the columns of an answer without rows; empty when the statement has no answer at all."""
        try:
            if statements.is_select(sql):
                return [(name, kind) for name, kind, _ in self._describe(f"({sql}\n)")]
            if statements.may_be_empty(sql):
                meta = json.loads(self._run(sql, "JSONCompact"))["meta"]
                return [(column["name"], column["type"]) for column in meta]
        except (QueryError, ValueError):
            return []
        return []

    def _describe(self, target: str) -> list[tuple[str, str, str]]:
        found = json.loads(self._run(f"DESCRIBE {target} SETTINGS print_pretty_type_names = 0", "JSONCompact"))
        return [(row[0], row[1], row[2]) for row in found["data"]]

    def insert(self, insert: DataInsert) -> tuple[list[tuple[str, str]], InsertStream]:
        """Begin an insert: the columns that the client has to send, and the stream to put its blocks in."""
        columns = self._insert_columns(insert)
        return columns, InsertStream(self._spool / f"{self._tag}.native", self._run, insert)

    def _insert_columns(self, insert: DataInsert) -> list[tuple[str, str]]:
        if isinstance(insert, statements.InsertSelect):
            if insert.structure != self._structure:
                described = self._describe(f"TABLE null({insert.structure})")
                self._structure, self._columns = insert.structure, [(name, kind) for name, kind, _ in described]
            return self._columns
        described = self._describe(f"TABLE {insert.table}")
        if insert.columns is None:
            return [(name, kind) for name, kind, default in described if default in ("", "DEFAULT")]
        if "*" in insert.columns:
            sql = f"SELECT {insert.columns} FROM {insert.table}"  # noqa: S608
            return [(name, kind) for name, kind, _ in self._describe(f"({sql})")]
        kinds = {name: kind for name, kind, _ in described}
        named = statements.column_names(insert.columns)
        for name in named:
            if name not in kinds:
                raise QueryError(16, "NO_SUCH_COLUMN_IN_TABLE", f"No such column {name} in table {insert.table}.")
        return [(name, kinds[name]) for name in named]
