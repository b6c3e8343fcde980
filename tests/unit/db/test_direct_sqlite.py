"""SQLite close to the event loop: nothing is lost between pages, and nobody waits for a long transaction to end."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text

from shared.db.engine import Database
from shared.errors import DatabaseUnavailable
from shared.settings import DatabaseSettings


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = Database(DatabaseSettings(url=f"sqlite+aiosqlite:///{tmp_path}/closeloop.db"))
    async with opened.transaction() as tx:
        await tx.execute(text("CREATE TABLE t (value INTEGER UNIQUE)"))
    yield opened
    await opened.close()


async def fill(database: Database, count: int) -> None:
    async with database.transaction() as tx:
        if count:
            await tx.execute(text("INSERT INTO t VALUES (:value)"), [{"value": value} for value in range(count)])


async def test_the_files_are_their_owners_alone(database: Database, tmp_path: Path) -> None:
    await fill(database, 3)
    modes = {path.name: path.stat().st_mode & 0o077 for path in tmp_path.iterdir()}
    assert modes == {"closeloop.db": 0, "closeloop.db-wal": 0, "closeloop.db-shm": 0}


@pytest.mark.parametrize("count", [0, 1, 499, 500, 501, 1000, 1501])
async def test_every_row_is_read_at_once_or_page_by_page(database: Database, count: int) -> None:
    await fill(database, count)
    query = text("SELECT value FROM t ORDER BY value")
    async with database.read() as connection:
        assert list((await connection.execute(query)).scalars()) == list(range(count))
        streamed = await connection.stream(query)
        assert [row.value async for row in streamed] == list(range(count))
    async with database.transaction() as tx:
        assert list((await tx.execute(query)).scalars()) == list(range(count))
        returned = await tx.execute(text("UPDATE t SET value = -value - 1 RETURNING value"))
        assert len(returned.all()) == count


async def test_others_go_on_during_a_long_transaction(database: Database) -> None:
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    ticker = asyncio.create_task(tick())
    async with database.transaction() as tx:
        for value in range(2_000):
            await tx.execute(text("INSERT INTO t VALUES (:value)"), {"value": value})
    during = ticks
    ticker.cancel()
    assert during > 20


async def test_what_fails_is_rolled_back_and_the_next_transaction_works(database: Database) -> None:
    async def stumble() -> None:
        async with database.transaction() as tx:
            await tx.execute(text("INSERT INTO t VALUES (0)"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await stumble()
    await fill(database, 1)
    async with database.read() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM t"))).scalar_one() == 1


async def test_a_cancelled_transaction_leaves_nothing_and_blocks_nobody(database: Database) -> None:
    begun = asyncio.Event()

    async def never_ends() -> None:
        async with database.transaction() as tx:
            await tx.execute(text("INSERT INTO t VALUES (7)"))
            begun.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(never_ends())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(fill(database, 3), 10)


async def test_a_database_locked_by_another_process_is_an_outage_and_stops_nobody_else(
    database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("shared.db.engine._BUSY_TIMEOUT_MS", 200)
    url = f"sqlite+aiosqlite:///{tmp_path}/closeloop.db"
    impatient = Database(DatabaseSettings(url=url))
    async with database.transaction():
        waiting = asyncio.create_task(fill(impatient, 1))
        async with database.read() as connection:
            assert (await connection.execute(text("SELECT count(*) FROM t"))).scalar_one() == 0
        with pytest.raises(DatabaseUnavailable):
            await waiting
    await fill(impatient, 1)
    await impatient.close()


async def test_a_further_connection_ends_no_lock_of_the_others(database: Database, tmp_path: Path) -> None:
    """Without its lock another process would take itself for the last one, and clear the write-ahead log away."""
    file = next(tmp_path.glob("*.db"))
    visit = f"import sqlite3; c = sqlite3.connect({str(file)!r}); c.execute('SELECT 1 FROM t').fetchone(); c.close()"
    await fill(database, 1)
    async with database.read() as first, database.read() as second:
        for connection in (first, second):
            await connection.execute(text("SELECT count(*) FROM t"))
        await asyncio.to_thread(subprocess.run, [sys.executable, "-c", visit], check=True)
        assert Path(f"{file}-wal").exists()
