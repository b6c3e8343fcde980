"""Statements that SQLite and PostgreSQL spell in their own dialects.

A statement that is made once and given its values when it is executed costs a fraction of one that is made anew each
time: SQLAlchemy then neither builds nor compares it again. The stores hold theirs as constants for that reason.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

_DIALECTS: dict[str, Any] = {"sqlite": sqlite, "postgresql": postgresql}


class Upsert:
    """An INSERT with ON CONFLICT, made once for each dialect. `on_conflict` adds the clause to a plain one."""

    def __init__(self, table: Table, on_conflict: Callable[[Any], Any]) -> None:
        self._made = {name: on_conflict(dialect.insert(table)) for name, dialect in _DIALECTS.items()}

    def on(self, connection: AsyncConnection) -> Any:
        """The one to execute there; its values are the parameters."""
        return self._made[connection.dialect.name]


def unless_there(table: Table) -> Upsert:
    """Insert; what collides with a row that is there is left out."""
    return Upsert(table, lambda insert: insert.on_conflict_do_nothing())
