"""Whoever gives up waiting for SQLite leaves it as it was: no crash, no half transaction, no lock kept."""

import asyncio
import random
from contextlib import suppress
from pathlib import Path

from sqlalchemy import text

from shared.db.engine import Database
from shared.settings import DatabaseSettings

_SLOW = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) SELECT count(*) FROM n"


async def test_reads_and_writes_can_be_given_up_at_any_moment(tmp_path: Path) -> None:
    database = Database(DatabaseSettings(url=f"sqlite+aiosqlite:///{tmp_path}/c.db"))
    async with database.transaction() as tx:
        await tx.execute(text("CREATE TABLE t (i INTEGER)"))
    dice = random.Random(3)
    done = 0

    async def read() -> None:
        async with database.read() as connection:
            await connection.execute(text(_SLOW))

    async def write() -> None:
        nonlocal done
        async with database.transaction(urgent=dice.random() < 0.5) as tx:
            await tx.execute(text("INSERT INTO t VALUES (1)"))
            await asyncio.sleep(0)
            await tx.execute(text("INSERT INTO t VALUES (2)"))
        done += 1

    async def impatient(number: int) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(dice.random() * 0.05):
                await (read() if number % 2 else write())

    for start in range(0, 200, 20):
        await asyncio.gather(*(impatient(start + number) for number in range(20)))
    async with database.read() as connection:
        counts = (await connection.execute(text("SELECT sum(i = 1), sum(i = 2) FROM t"))).one()
    assert counts[0] == counts[1]
    assert (counts[0] or 0) >= done
    await database.close()
