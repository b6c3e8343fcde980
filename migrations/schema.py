"""Brings a database to a revision, and tells which one it has."""

import logging
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from shared.db.engine import Database
from shared.errors import ConfigurationError

# Two upgrades at once would both create the tables; any fixed number will do.
_POSTGRES_LOCK = 7_236_403
logging.getLogger("alembic").setLevel(logging.WARNING)


def configuration(connection: Connection | None = None) -> Config:
    """Alembic's configuration, without a file; env.py works on the given connection."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def newest() -> str:
    """The revision this program was written for."""
    head = ScriptDirectory.from_config(configuration()).get_current_head()
    assert head is not None
    return head


async def current(database: Database) -> str | None:
    """The revision the database has; None when it is empty."""
    async with database.read() as connection:
        return await connection.run_sync(_revision)


async def upgrade(database: Database, revision: str = "head") -> str:
    """Bring the database to a revision, all or nothing, and return it."""
    async with database.transaction() as connection:
        return await connection.run_sync(_upgrade, revision)


async def downgrade(database: Database, revision: str) -> None:
    """Go back to a revision; "base" drops every table."""
    async with database.transaction() as connection:
        await connection.run_sync(lambda sync: command.downgrade(configuration(sync), revision))


async def require_newest(database: Database) -> None:
    """Raises ConfigurationError, saying what to do, when the database has another schema than this program needs."""
    found = await current(database)
    if found is None:
        raise ConfigurationError("the database has no tables yet: run `closeloop db upgrade`")
    if found == newest():
        return
    known = {script.revision for script in ScriptDirectory.from_config(configuration()).walk_revisions()}
    if found in known:
        raise ConfigurationError(
            f"the database is at revision {found}, too old for this version: run `closeloop db upgrade`"
        )
    raise ConfigurationError(f"the database is at revision {found}, which a newer version made: install that version")


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _upgrade(connection: Connection, revision: str) -> str:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _POSTGRES_LOCK})
    command.upgrade(configuration(connection), revision)
    return _revision(connection) or ""
