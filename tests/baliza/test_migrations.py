import pytest
from clickhouse_driver import Client

from baliza.errors import MigrationError
from baliza.migrations import Migration, folder, migrate, migrate_down, migrations, pending, problems


def tables(client: Client) -> list[str]:
    return [name for (name,) in client.execute("SHOW TABLES") if name != "migrations"]


def test_the_folder_keeps_the_rules() -> None:
    assert problems([entry.name for entry in folder().iterdir() if entry.name.endswith(".sql")]) == []


def test_names_gaps_and_missing_downs_are_told() -> None:
    found = problems(["0001_create_a.up.sql", "0003_create_b.up.sql", "0003_create_b.down.sql", "notes.sql"])
    assert found == [
        "notes.sql: expected NNNN_verb_object.up.sql or .down.sql",
        "0001: expected both up and down, found up",
        "0003: expected 0002, the numbers have a gap",
    ]


@pytest.mark.clickhouse
def test_all_run_up_and_down_and_up_again(clickhouse_url: str) -> None:
    client = Client.from_url(clickhouse_url)
    assert [step.number for step in migrate(client)] == [step.number for step in migrations()]
    first = {name: client.execute(f"SHOW CREATE TABLE {name}") for name in tables(client)}
    assert {"events", "sessions"} <= set(first)
    assert migrate(client) == []
    assert [step.number for step in migrate_down(client, to=0)] == [step.number for step in reversed(migrations())]
    assert tables(client) == []
    migrate(client)
    assert {name: client.execute(f"SHOW CREATE TABLE {name}") for name in tables(client)} == first
    client.disconnect()


@pytest.mark.clickhouse
def test_refuses_an_edited_migration_and_an_older_program(clickhouse_url: str) -> None:
    client = Client.from_url(clickhouse_url)
    migrate(client)
    known = migrations()
    with pytest.raises(MigrationError, match=r"0001 was edited"):
        pending(client, [Migration(1, known[0].name, "SELECT 1", "SELECT 1"), *known[1:]])
    with pytest.raises(MigrationError, match=f"{known[-1].number:04d} is applied here but unknown"):
        pending(client, known[:-1])
    client.disconnect()
