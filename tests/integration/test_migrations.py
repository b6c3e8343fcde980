"""The migrations make exactly the tables of the models, on SQLite and on PostgreSQL, and can be taken back."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect, text

from migrations.schema import current, downgrade, newest, require_newest, upgrade
from services.router import tables  # noqa: F401 - fills the metadata
from shared.db.engine import Database
from shared.db.types import metadata
from shared.errors import ConfigurationError
from shared.settings import DatabaseSettings

POSTGRES_CATALOGUE = (
    "SELECT table_name, column_name, data_type, character_maximum_length, is_nullable, column_default"
    " FROM information_schema.columns WHERE table_schema = 'public'",
    "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
    " WHERE connamespace = 'public'::regnamespace AND contype <> 'n'",
)
SQLITE_CATALOGUE = ("SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'",)
ALEMBICS_OWN = "alembic_version"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """An empty database."""
    sqlite = f"sqlite+aiosqlite:///{tmp_path}/closeloop.db"
    url = sqlite if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    opened = Database(DatabaseSettings(url=url))
    yield opened
    await opened.close()


async def catalogue(database: Database) -> set[tuple[str, ...]]:
    """Everything the database says of columns, types, constraints and (partial) indexes."""
    async with database.read() as connection:
        found: set[tuple[str, ...]] = set()
        for query in SQLITE_CATALOGUE if database.is_sqlite else POSTGRES_CATALOGUE:
            for row in await connection.execute(text(query)):
                found.add(tuple(" ".join(str(value).replace('"', "").split()) for value in row))
    return {row for row in found if not row[0].startswith(ALEMBICS_OWN)}


def statements(rows: set[tuple[str, ...]]) -> set[tuple[str, ...]]:
    """SQLite keeps the text of CREATE TABLE: its clauses count, not their order or spacing."""
    return {(row[0], *sorted(part.strip("() ") for part in row[1].split(","))) for row in rows}


async def test_an_empty_database_gets_the_tables_of_the_models(database: Database, tmp_path: Path) -> None:
    async with database.transaction() as connection:
        await connection.run_sync(metadata.create_all)
    of_models = await catalogue(database)
    async with database.transaction() as connection:
        await connection.run_sync(metadata.drop_all)

    assert await upgrade(database) == newest()

    of_migrations = await catalogue(database)
    if database.is_sqlite:
        of_models, of_migrations = statements(of_models), statements(of_migrations)
    assert of_migrations == of_models


async def test_alembic_sees_no_difference_either(database: Database) -> None:
    await upgrade(database)

    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, metadata))

    async with database.read() as connection:
        assert await connection.run_sync(differences) == []


async def test_downgrading_to_base_leaves_nothing_and_the_way_up_is_open_again(database: Database) -> None:
    await upgrade(database)
    await downgrade(database, "base")
    async with database.read() as connection:
        left = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
    assert set(left) <= {ALEMBICS_OWN}
    assert await upgrade(database) == newest()


async def test_upgrading_twice_at_once_is_harmless(database: Database) -> None:
    await asyncio.gather(upgrade(database), upgrade(database))
    assert await current(database) == newest()


async def test_a_database_of_another_version_is_refused_with_what_to_do(database: Database) -> None:
    with pytest.raises(ConfigurationError, match="closeloop db upgrade"):
        await require_newest(database)
    await upgrade(database)
    await require_newest(database)
    async with database.transaction() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ConfigurationError, match="newer version"):
        await require_newest(database)
