"""One migrated database for all tests of a process: emptying what a test filled costs a tenth of migrating anew."""

import uuid
from typing import Final

from clickhouse_driver import Client

from baliza.migrations import migrate

# Of tables whose rows nobody counts, views among them, total_rows is null.
STATE: Final = """
SELECT name, cityHash64(create_table_query), total_rows > 0 FROM system.tables WHERE database = %(name)s ORDER BY name
"""
LEDGER: Final = "migrations"


class SharedHistory:
    """Makes the database when it is first asked for, and again when a test has left other tables than it found."""

    def __init__(self, admin: Client) -> None:
        self._admin = admin
        self._name = ""
        self._schema: list[tuple[str, int]] = []

    def clean(self) -> str:
        """The name of a migrated database whose tables are empty, their memory of repeated inserts included."""
        if self._name:
            found = self._state()
            if [row[:2] for row in found] == self._schema:
                for name, _, filled in found:
                    if filled and name != LEDGER:
                        self._admin.execute(f"TRUNCATE TABLE {self._name}.{name}")
                return self._name
            self._admin.execute(f"DROP DATABASE {self._name}")
        self._make()
        return self._name

    def _make(self) -> None:
        self._name = f"test_{uuid.uuid4().hex}"
        self._admin.execute(f"CREATE DATABASE {self._name}")
        self._admin.execute(f"USE {self._name}")
        migrate(self._admin)
        self._schema = [row[:2] for row in self._state()]

    def _state(self) -> list[tuple[str, int, bool]]:
        found: list[tuple[str, int, bool]] = self._admin.execute(STATE, {"name": self._name})
        return found
