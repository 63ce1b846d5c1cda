"""What kind of statement a text of SQL is, as far as the embedded engine has to know. Pure: text in, facts out."""

import re
from dataclasses import dataclass

__all__ = [
    "Insert",
    "InsertSelect",
    "StatementError",
    "column_names",
    "data_insert",
    "is_select",
    "may_be_empty",
    "quoted",
    "set_statement",
    "without_format",
]

HIDDEN = re.compile(
    r"""'(?:[^'\\]|\\.|'')*' | "(?:[^"\\]|\\.|"")*" | `(?:[^`\\]|\\.|``)*` | --[^\n]* | /\*.*?\*/ """,
    re.DOTALL | re.VERBOSE,
)
INSERT = re.compile(
    r"\s*INSERT\s+INTO\s+(?:TABLE\s+)?(?P<table>[\w.]+(?:\s*\.\s*\w+)?)\s*(?P<columns>\([^()]*\))?\s*"
    r"(?P<settings>SETTINGS\s+.*?)?\s*(?:VALUES|FORMAT\s+\w+)\s*",
    re.IGNORECASE | re.DOTALL,
)
INSERT_SELECT = re.compile(r"\s*INSERT\s+INTO\b.*?\bSELECT\b.*?\sFORMAT\s+Native\s*", re.IGNORECASE | re.DOTALL)
INPUT = re.compile(r"\binput\s*\(\s*(?P<structure>x+)\s*\)", re.IGNORECASE)
SELECT = re.compile(r"[\s(]*(?:SELECT|WITH)\b", re.IGNORECASE)
SHOW = re.compile(r"\s*(?:SHOW|DESC|DESCRIBE|EXISTS)\b", re.IGNORECASE)
FORMAT = re.compile(r"\s+FORMAT\s+\w+\s*$", re.IGNORECASE)
SETTING_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*", re.ASCII)


class StatementError(ValueError):
    """The statement or one of its settings cannot be run; `code` and `name` are ClickHouse's."""

    def __init__(self, message: str, code: int, name: str) -> None:
        super().__init__(message)
        self.code = code
        self.name = name


@dataclass(frozen=True)
class Insert:
    """An INSERT whose rows follow as blocks. `head` ends with its columns; `columns` None when none are named."""

    head: str
    table: str
    columns: str | None
    settings: str = ""

    def from_file(self, path: str) -> str:
        """The same insert with its rows taken from a file of Native blocks."""
        return f"{self.head} FROM INFILE {quoted(path)} COMPRESSION 'none' {self.settings} FORMAT Native"


@dataclass(frozen=True)
class InsertSelect:
    """An INSERT whose rows a SELECT makes of those that follow as blocks: `… FROM input('structure') … FORMAT Native`.

    `structure` is a string literal: the columns of the blocks.
    """

    before: str
    structure: str
    after: str

    def from_file(self, path: str) -> str:
        """The same insert with its rows taken from a file of Native blocks."""
        return f"{self.before}file({quoted(path)}, 'Native', {self.structure}){self.after}"


def _mask(sql: str) -> str:
    """The same length with quoted names and texts as letters and comments as blanks, so that patterns see structure only."""

    def hide(found: re.Match[str]) -> str:
        filler = " " if found[0][0] in "-/" else "x"
        return filler * len(found[0])

    return HIDDEN.sub(hide, sql)


def _one(sql: str) -> tuple[str, str]:
    """The statement and its mask, without closing semicolons; several statements are refused as a server does."""
    masked = _mask(sql)
    end = len(masked.rstrip("; \t\r\n"))
    if ";" in masked[:end]:
        message = "Syntax error (Multi-statements are not allowed): send one statement a query."
        raise StatementError(message, 62, "SYNTAX_ERROR")
    return sql[:end], masked[:end]


def data_insert(sql: str) -> Insert | InsertSelect | None:
    """The insert whose blocks the client will send, or None for every other statement, other INSERT … SELECT included."""
    text, masked = _one(sql)
    found = INSERT.fullmatch(masked)
    if not found:
        return _insert_select(text, masked)
    last = found.end("columns") if found["columns"] else found.end("table")
    settings = text[found.start("settings") : found.end("settings")].strip() if found["settings"] else ""
    columns = text[found.start("columns") + 1 : found.end("columns") - 1].strip() if found["columns"] else None
    return Insert(text[:last].strip(), text[found.start("table") : found.end("table")], columns or None, settings)


def _insert_select(text: str, masked: str) -> InsertSelect | None:
    source = INPUT.search(masked) if INSERT_SELECT.fullmatch(masked) else None
    if not source:
        return None
    end = masked.upper().rindex("FORMAT")
    return InsertSelect(text[: source.start()], text[slice(*source.span("structure"))], text[source.end() : end].rstrip())


def without_format(sql: str) -> str:
    """The statement without a closing semicolon and FORMAT: over the native protocol it is the client that formats."""
    text, masked = _one(sql)
    found = FORMAT.search(masked)
    return text[: found.start()] if found and masked.lstrip()[:6].upper() != "INSERT" else text


def is_select(sql: str) -> bool:
    """Whether the statement can be streamed."""
    return bool(SELECT.match(_mask(sql)))


def may_be_empty(sql: str) -> bool:
    """Whether this is a question like SHOW TABLES: cheap, without effect, and its answer has columns even without rows."""
    return bool(SHOW.match(_mask(sql)))


def column_names(listed: str) -> list[str]:
    """The names in an insert's column list, without their quotes."""
    masked, names, start = _mask(listed), [], 0
    for end in [*(found.start() for found in re.finditer(",", masked)), len(listed)]:
        name = listed[start:end].strip()
        if name[:1] in ("`", '"'):
            name = re.sub(r"\\\\(.)", r"\\1", name[1:-1].replace(name[0] * 2, name[0]))
        names.append(name)
        start = end + 1
    return names


def quoted(text: str) -> str:
    """A string literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def set_statement(wanted: dict[str, str | None]) -> str:
    """SET for these settings; None puts a setting back to its default."""
    for name in wanted:
        if not SETTING_NAME.fullmatch(name):
            raise StatementError(f"{name!r} is not the name of a setting.", 115, "UNKNOWN_SETTING")
    return "SET " + ", ".join(f"{name} = {'DEFAULT' if value is None else quoted(value)}" for name, value in wanted.items())
