"""What was acknowledged survives a power cut (G1): SQLite is told to wait for the disk on every connection we make."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from shared.bus.base import Topic
from shared.bus.eventlog import SqliteEventLog
from shared.clock import SystemClock
from shared.db.engine import Database
from shared.events.envelope import Record
from shared.settings import DatabaseSettings

FULL = 2


async def test_g1_the_event_log_waits_for_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[sqlite3.Connection] = []
    connect = sqlite3.connect

    def remembered(*arguments: Any, **options: Any) -> sqlite3.Connection:
        opened.append(connect(*arguments, **options))
        return opened[-1]

    monkeypatch.setattr(sqlite3, "connect", remembered)
    bus = SqliteEventLog(tmp_path / "events.db", SystemClock())
    await bus.start()
    await bus.ensure_topics([Topic("feedback")])
    await bus.publish([Record("feedback", b"k", b"v")])
    assert opened
    assert {connection.execute("PRAGMA synchronous").fetchone()[0] for connection in opened} == {FULL}
    await bus.stop()


async def test_g4_the_database_waits_for_the_disk(tmp_path: Path) -> None:
    database = Database(DatabaseSettings(url=f"sqlite+aiosqlite:///{tmp_path}/closeloop.db"))
    async with database.transaction() as tx:
        assert (await tx.execute(text("PRAGMA synchronous"))).scalar_one() == FULL
    await database.close()
