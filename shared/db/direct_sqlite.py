"""SQLite at the least cost for the event loop: aiosqlite's interface, with fewer hand-overs between threads.

aiosqlite hands every call to a thread of its own and back: four times a statement, 130 microseconds of processor each
time we measured, and far longer while the loop is busy. Here a reader's statement goes to a thread once, as its
duration is not known. The writer's short statements are made at once; only BEGIN, which may wait for another process,
and COMMIT, which waits for the disk, go to a thread.
"""

import asyncio
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from shared import private_files

_MAY_WAIT = ("BEGIN", "COMMIT", "ROLLBACK")
_AT_ONCE = 500
_TURN_SECONDS = 0.002
"""So long a writer's statements may hold the event loop in one go."""


async def connect_reader(path: str, **options: Any) -> "DirectConnection":
    """SQLAlchemy's aiosqlite dialect takes it as `async_creator_fn`."""
    return DirectConnection(_open(path, options), in_thread=True)


async def connect_writer(path: str, **options: Any) -> "DirectConnection":
    """SQLAlchemy's aiosqlite dialect takes it as `async_creator_fn`."""
    return DirectConnection(_open(path, options), in_thread=False)


def _open(path: str, options: Mapping[str, Any]) -> sqlite3.Connection:
    """A new file is its owner's alone: it holds what customers wrote. SQLite's files beside it follow it."""
    if path and path != ":memory:" and not path.startswith("file:"):
        private_files.create(Path(path))
    return sqlite3.connect(path, **{**options, "check_same_thread": False})


async def _in_thread(function: Callable[..., Any], *arguments: Any) -> Any:
    """Like asyncio.to_thread, but whoever is cancelled waits until the thread has left the connection: closing or using
    it meanwhile would crash the process."""
    work = asyncio.get_running_loop().run_in_executor(None, function, *arguments)
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        while not work.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([work])
        raise


class DirectCursor:
    def __init__(self, connection: "DirectConnection", cursor: sqlite3.Cursor) -> None:
        self._connection = connection
        self._cursor = cursor
        self._rows: deque[Any] = deque()
        self._more = False
        self.arraysize = _AT_ONCE

    @property
    def description(self) -> Any:
        return self._cursor.description

    @property
    def rowcount(self) -> int:
        return self._cursor.rowcount

    @property
    def lastrowid(self) -> int | None:
        return self._cursor.lastrowid

    async def __aenter__(self) -> "DirectCursor":
        return self

    async def execute(self, sql: str, parameters: Sequence[Any] = ()) -> "DirectCursor":
        if self._connection.in_thread or sql.startswith(_MAY_WAIT):
            await _in_thread(self._execute, sql, parameters)
        else:
            await self._connection.give_others_a_turn()
            self._execute(sql, parameters)
        return self

    async def executemany(self, sql: str, parameters: Iterable[Sequence[Any]]) -> "DirectCursor":
        if self._connection.in_thread:
            await _in_thread(self._cursor.executemany, sql, parameters)
        else:
            await self._connection.give_others_a_turn()
            self._cursor.executemany(sql, parameters)
        return self

    def _execute(self, sql: str, parameters: Sequence[Any]) -> None:
        self._cursor.execute(sql, parameters)
        self._rows.clear()
        self._more = self._cursor.description is not None
        if self._more:
            self._fetch(_AT_ONCE)

    def _fetch(self, count: int) -> None:
        rows = self._cursor.fetchmany(count)
        self._rows.extend(rows)
        self._more = len(rows) == count

    async def fetchmany(self, size: int | None = None) -> list[Any]:
        wanted = self.arraysize if size is None else size
        if self._more and len(self._rows) < wanted:
            await _in_thread(self._fetch, max(_AT_ONCE, wanted))
        return [self._rows.popleft() for _ in range(min(wanted, len(self._rows)))]

    async def fetchall(self) -> list[Any]:
        rows = list(self._rows)
        self._rows.clear()
        if self._more:
            self._more = False
            rows += await _in_thread(self._cursor.fetchall)
        return rows

    async def fetchone(self) -> Any:
        found = await self.fetchmany(1)
        return found[0] if found else None

    async def close(self) -> None:
        self._cursor.close()


class _Now:
    """Where the dialect queues work for aiosqlite's thread; done at once here."""

    def put_nowait(self, work: tuple[asyncio.Future[Any], Callable[[], Any]]) -> None:
        future, function = work
        future.set_result(function())


class DirectConnection:
    """The part of aiosqlite.Connection that SQLAlchemy uses."""

    def __init__(self, connection: sqlite3.Connection, *, in_thread: bool) -> None:
        self._conn = self._connection = connection
        self._tx = _Now()
        self._turn_ends = 0.0
        self.in_thread = in_thread

    @property
    def isolation_level(self) -> str | None:
        return self._conn.isolation_level

    async def give_others_a_turn(self) -> None:
        """Let the event loop do something else when this connection has held it for long."""
        now = time.perf_counter()
        if now >= self._turn_ends:
            await asyncio.sleep(0)
            self._turn_ends = time.perf_counter() + _TURN_SECONDS

    def cursor(self) -> DirectCursor:
        return DirectCursor(self, self._conn.cursor())

    async def commit(self) -> None:
        await _in_thread(self._conn.commit)

    async def rollback(self) -> None:
        await _in_thread(self._conn.rollback)

    async def close(self) -> None:
        self._conn.close()

    def stop(self) -> None:
        self._conn.close()

    async def create_function(self, *arguments: Any, **options: Any) -> None:
        self._conn.create_function(*arguments, **options)
