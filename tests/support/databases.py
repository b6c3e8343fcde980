"""The databases every store test runs on, with the router's tables, which are made once a session."""

import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, inspect
from sqlalchemy.engine import make_url

from services.router import tables
from shared.db.engine import Database
from shared.settings import DatabaseSettings
from tests.support.blocking import wait_for
from tests.support.postgres import PostgresDatabases

DISCONNECT_OTHERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid();"
)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without rows: SQLite, and PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path}/closeloop.db"
    url: str = request.getfixturevalue("emptied_postgres_url")
    return url


@pytest.fixture(scope="session")
def postgres_laid_out(session_postgres: PostgresDatabases) -> Iterator[str]:
    """The name of a database with tables; making and dropping one for each test costs PostgreSQL half a second."""
    name = session_postgres.create_database()
    wait_for(_lay_out(session_postgres.url(name)))
    yield name
    session_postgres.drop_database(name)


@pytest.fixture
def emptied_postgres_url(session_postgres: PostgresDatabases, postgres_laid_out: str) -> str:
    """The same database for every test: whoever was still connected is not, and all rows are gone."""
    rows = "".join(f'DELETE FROM "{table.name}";' for table in reversed(tables.metadata.sorted_tables))
    session_postgres.execute(DISCONNECT_OTHERS + rows, postgres_laid_out)
    return session_postgres.url(postgres_laid_out)


async def lay_out(database: Database) -> None:
    """Make the tables where there are none."""
    if database.is_sqlite and not Path(database.url.database or "").exists():
        Path(database.url.database or "").write_bytes(_sqlite_original())
    async with database.engine.begin() as connection:
        await connection.run_sync(_create_missing)


async def _lay_out(url: str) -> None:
    database = Database(DatabaseSettings(url=url))
    await lay_out(database)
    await database.close()


def _create_missing(connection: Connection) -> None:
    if not inspect(connection).has_table(tables.cases.name):
        tables.metadata.create_all(connection)


@cache
def _sqlite_original() -> bytes:
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "original.db")
        engine = create_engine(make_url(f"sqlite:///{file}"))
        tables.metadata.create_all(engine)
        engine.dispose()
        return file.read_bytes()
