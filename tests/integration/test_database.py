"""However many read, whoever writes gets its turn; who finds no connection free is told to try again."""

from contextlib import AsyncExitStack

import pytest
from sqlalchemy import text

from shared.db.engine import Database
from shared.errors import DatabaseUnavailable
from shared.settings import DatabaseSettings


async def test_readers_who_hold_every_connection_keep_neither_writers_nor_each_other_for_ever(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.db.engine.POOL_PATIENCE_SECONDS", 0.1)
    database = Database(DatabaseSettings(url=database_url, pool_size=2))
    async with AsyncExitStack() as pages:
        for _ in range(2):
            connection = await pages.enter_async_context(database.read())
            await connection.execute(text("SELECT 1"))
        with pytest.raises(DatabaseUnavailable):
            await pages.enter_async_context(database.read())
        async with database.transaction() as tx:
            assert (await tx.execute(text("SELECT 1"))).scalar_one() == 1
    async with database.read() as connection:
        assert (await connection.execute(text("SELECT 1"))).scalar_one() == 1
    await database.close()
