"""The database: one engine, short transactions, and errors that say whether trying again can help."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, event, make_url, text
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    DisconnectionError,
    InterfaceError,
    InternalError,
    OperationalError,
)
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from shared.db import direct_sqlite
from shared.db.turns import Turns
from shared.errors import ConfigurationError, DatabaseUnavailable
from shared.settings import DatabaseSettings

_BUSY_TIMEOUT_MS = 10_000
POOL_PATIENCE_SECONDS = 10.0
"""How long a free connection is waited for; then whoever asked is told to try again."""
_REFUSALS = ("28", "3D")
"""Who we are, or which database we ask for: nothing a message can help, and it may be put right while we run."""


class Database:
    """`transaction()` commits when the block ends well; it is the one place that commits. Readers have connections of
    their own, so that however many pages and figures are asked for, alerts do not wait for them."""

    def __init__(self, settings: DatabaseSettings) -> None:
        """Raises ConfigurationError."""
        self.url = _parse(settings.url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.engine = _create_writer(settings, self.url)
        self._reader = _create_reader(settings, self.url)
        # SQLite has one writer: waiting in turn here is fairer and cheaper than its busy handler.
        self._turns = Turns() if self.is_sqlite else None

    @asynccontextmanager
    async def transaction(self, urgent: bool = False) -> AsyncIterator[AsyncConnection]:
        """A write transaction. Raises DatabaseUnavailable when the database does not answer. `urgent`: a person waits
        for it (a click, an alert), and it is short; on SQLite it goes before what only has to be done."""
        if self._turns is None:
            async with self._begin() as connection:
                yield connection
        else:
            async with self._turns.turn(urgent), self._begin() as connection:
                await connection.execute(text("BEGIN IMMEDIATE"))
                yield connection

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection for reading; nothing is committed."""
        with _translated():
            async with self._reader.connect() as connection:
                yield connection

    @asynccontextmanager
    async def _begin(self) -> AsyncIterator[AsyncConnection]:
        with _translated():
            async with self.engine.begin() as connection:
                yield connection

    async def ping(self) -> None:
        async with self.read() as connection:
            await connection.execute(text("SELECT 1"))

    async def close(self) -> None:
        await self._reader.dispose()
        await self.engine.dispose()


class _translated:
    """Turns the drivers' many ways of saying "not now" into DatabaseUnavailable."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if error is not None and _is_outage(error):
            raise DatabaseUnavailable(_words(error)) from error


def _words(error: BaseException) -> str:
    if _sqlstate(error).startswith(_REFUSALS):
        return f"the database refuses us, look at CLOSELOOP_DATABASE__URL: {error.orig}"  # type: ignore[attr-defined]
    return f"the database does not answer: {type(error).__name__}"


def _sqlstate(error: BaseException) -> str:
    return getattr(getattr(error, "orig", None), "sqlstate", None) or ""


def _parse(url: str) -> URL:
    try:
        return make_url(url)
    except (ArgumentError, ValueError):
        # Without the cause, which quotes a piece of the password.
        raise ConfigurationError(
            "CLOSELOOP_DATABASE__URL: not an address; in a password write @ as %40, : as %3A and / as %2F"
        ) from None


def _is_outage(error: BaseException) -> bool:
    if isinstance(error, DBAPIError):
        # PostgreSQL ends sessions with 57P01..03 when it shuts down; 40001/40P01 are lost races, safe to repeat.
        return (
            error.connection_invalidated
            or isinstance(error, (OperationalError, InterfaceError, InternalError))
            or _sqlstate(error).startswith(("08", "53", "57", "40", *_REFUSALS))
        )
    return isinstance(error, OSError | NoConnectionFree)


def _create_writer(settings: DatabaseSettings, url: URL) -> AsyncEngine:
    if url.get_backend_name() == "sqlite":
        if url.database and url.database != ":memory:":
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)
        return _create_sqlite(url, direct_sqlite.connect_writer, pool_size=1, max_overflow=0)
    return _create_postgres(settings, url)


def _create_reader(settings: DatabaseSettings, url: URL) -> AsyncEngine:
    if url.get_backend_name() == "sqlite":
        return _create_sqlite(url, direct_sqlite.connect_reader, pool_size=settings.pool_size, max_overflow=0)
    # Readers need no transaction: PostgreSQL is not told of a beginning and an end that mean nothing.
    return _create_postgres(settings, url, isolation_level="AUTOCOMMIT")


def _create_postgres(settings: DatabaseSettings, url: URL, **options: Any) -> AsyncEngine:
    pool = {"pool_size": settings.pool_size, "max_overflow": 0, "pool_timeout": POOL_PATIENCE_SECONDS}
    engine = create_async_engine(url, **pool, **options)
    event.listen(engine.sync_engine, "checkout", _refuse_closed)
    return engine


def _create_sqlite(url: URL, connect: Any, **pool: Any) -> AsyncEngine:
    arguments = {"timeout": _BUSY_TIMEOUT_MS / 1000, "async_creator_fn": connect}
    engine = create_async_engine(url, connect_args=arguments, pool_timeout=POOL_PATIENCE_SECONDS, **pool)
    event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    return engine


def _refuse_closed(_connection: Any, record: Any, _proxy: Any) -> None:
    """The pool then connects anew. Asking the server instead, as `pool_pre_ping` does, is three round trips each time;
    that a server went away, its closed socket says."""
    if record.driver_connection.is_closed():
        raise DisconnectionError


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # None leaves BEGIN to us: the driver's own would be deferred and fail when it turns into a write.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={_BUSY_TIMEOUT_MS}"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
