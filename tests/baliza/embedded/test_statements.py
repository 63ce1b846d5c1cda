"""What a statement is."""

import pytest

from baliza.embedded.statements import (
    Insert,
    InsertSelect,
    StatementError,
    column_names,
    data_insert,
    is_select,
    may_be_empty,
    quoted,
    set_statement,
    without_format,
)


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("INSERT INTO t VALUES", Insert("INSERT INTO t", "t", None)),
        ("insert into db.t (a, b) values", Insert("insert into db.t (a, b)", "db.t", "a, b")),
        ("INSERT INTO TABLE t(a)VALUES ;", Insert("INSERT INTO TABLE t(a)", "t", "a")),
        ("INSERT INTO `my table` (`a)b`) VALUES", Insert("INSERT INTO `my table` (`a)b`)", "`my table`", "`a)b`")),
        (
            "INSERT INTO t (a,b) SETTINGS x='VALUES (1)', y=2 VALUES",
            Insert("INSERT INTO t (a,b)", "t", "a,b", "SETTINGS x='VALUES (1)', y=2"),
        ),
        ("/* why */ INSERT INTO t FORMAT Native", Insert("/* why */ INSERT INTO t", "t", None)),
        ("-- why\nINSERT INTO t\n(a)\nVALUES\n", Insert("-- why\nINSERT INTO t\n(a)", "t", "a")),
    ],
)
def test_insert_with_rows_to_come_is_known(sql: str, expected: Insert) -> None:
    assert data_insert(sql) == expected


def test_insert_from_a_file_keeps_its_settings() -> None:
    insert = data_insert("INSERT INTO t (a) SETTINGS x = 1 VALUES")
    assert insert
    assert (
        insert.from_file("/a'b") == "INSERT INTO t (a) FROM INFILE '/a\\'b' COMPRESSION 'none' SETTINGS x = 1 FORMAT Native"
    )


def test_insert_of_what_a_select_makes_of_rows_to_come_is_known() -> None:
    structure = "'b Int8, c Enum(\\'x\\' = 1)'"
    source = f"SELECT b + 1 FROM (SELECT * FROM input ( {structure} )) -- why"
    sql = f"-- input('no')\nINSERT INTO t (a) {source}\nFORMAT Native;"
    insert = data_insert(sql)
    assert isinstance(insert, InsertSelect)
    assert insert.structure == structure
    assert insert.from_file("/a'b") == (
        f"-- input('no')\nINSERT INTO t (a) SELECT b + 1 FROM (SELECT * FROM file('/a\\'b', 'Native', {structure})) -- why"
    )


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO t SELECT 1",
        "INSERT INTO t SELECT 1 FORMAT Native",
        "INSERT INTO t SELECT 'input(''x'')' FORMAT Native",
        "INSERT INTO t SELECT * FROM input('a Int8') FORMAT CSV",
        "SELECT * FROM input('a Int8') FORMAT Native",
        "INSERT INTO t VALUES (1)",
        "SELECT 'INSERT INTO t VALUES'",
        "INSERT INTO t (a) SELECT * FROM values",
    ],
)
def test_other_statements_are_no_data_inserts(sql: str) -> None:
    assert data_insert(sql) is None


@pytest.mark.parametrize("sql", ["SELECT 1; SELECT 2", "INSERT INTO t VALUES; DROP TABLE t"])
def test_several_statements_are_refused(sql: str) -> None:
    with pytest.raises(StatementError, match="Multi-statements") as caught:
        data_insert(sql)
    assert caught.value.code == 62


def test_semicolon_in_a_text_or_a_comment_ends_nothing() -> None:
    sql = "SELECT ';', `a;b` -- ;\n /* ; */, \"c;d\""
    assert without_format(sql) == sql


@pytest.mark.parametrize(
    ("sql", "rest"),
    [
        ("SELECT 1 FORMAT JSON", "SELECT 1"),
        ("SELECT 1 format TabSeparated ;\n", "SELECT 1"),
        ("SELECT ' FORMAT x'", "SELECT ' FORMAT x'"),
        ("INSERT INTO t SELECT 1 FORMAT Null", "INSERT INTO t SELECT 1 FORMAT Null"),
    ],
)
def test_format_is_left_to_the_client(sql: str, rest: str) -> None:
    assert without_format(sql) == rest


@pytest.mark.parametrize("sql", ["SELECT 1", " (select 1)", "WITH 1 AS x SELECT x", "-- why\nSELECT 1"])
def test_select_is_known(sql: str) -> None:
    assert is_select(sql)


def test_questions_and_orders_are_no_selects() -> None:
    assert not is_select("SHOW TABLES")
    assert may_be_empty("SHOW TABLES LIKE 'x'")
    assert not may_be_empty("DROP TABLE t")


def test_quotes_of_column_names_go() -> None:
    assert column_names('a, `b,c` , "d""e", f.g') == ["a", "b,c", 'd"e', "f.g"]


def test_value_of_a_setting_cannot_break_out() -> None:
    assert quoted("a'b\\") == "'a\\'b\\\\'"
    assert set_statement({"x": "1', y = '2", "z": None}) == "SET x = '1\\', y = \\'2', z = DEFAULT"


@pytest.mark.parametrize("name", ["a b", "a=1, b", "", "1a", "é"])
def test_name_of_a_setting_cannot_break_out(name: str) -> None:
    with pytest.raises(StatementError, match="not the name of a setting") as caught:
        set_statement({name: "1"})
    assert caught.value.code == 115
