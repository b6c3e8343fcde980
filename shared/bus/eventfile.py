"""The SQLite file of the embedded log: its schema and statements, synchronous, called from one thread for each side."""

import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

from shared import private_files
from shared.bus.base import Partition
from shared.errors import BusUnavailable

_SCHEMA = """
CREATE TABLE IF NOT EXISTS partitions (
    id INTEGER PRIMARY KEY, topic TEXT NOT NULL, number INTEGER NOT NULL, next_position INTEGER NOT NULL DEFAULT 0,
    UNIQUE (topic, number)
);
CREATE TABLE IF NOT EXISTS messages (
    partition_id INTEGER NOT NULL, position INTEGER NOT NULL, at_us INTEGER NOT NULL,
    key BLOB NOT NULL, value BLOB, headers BLOB NOT NULL,
    PRIMARY KEY (partition_id, position)
);
CREATE TABLE IF NOT EXISTS offsets (
    consumer_group TEXT NOT NULL, partition_id INTEGER NOT NULL, position INTEGER NOT NULL,
    PRIMARY KEY (consumer_group, partition_id)
) WITHOUT ROWID;
"""
_APPEND = "INSERT INTO messages (partition_id, position, at_us, key, value, headers) VALUES (?, ?, ?, ?, ?, ?)"
_READ = (
    "SELECT position, at_us, key, value, headers FROM messages"
    " WHERE partition_id = ? AND position >= ? AND position < ? ORDER BY position LIMIT ?"
)
_MAX_READ_BYTES = 16 * 1024 * 1024
_DELETE_AT_ONCE = 5_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_us(at: datetime) -> int:
    """Microseconds since 1970."""
    return (at - _EPOCH) // _MICROSECOND


def from_us(at_us: int) -> datetime:
    return _EPOCH + at_us * _MICROSECOND


class Row(NamedTuple):
    """One stored message; `headers` is msgpack."""

    position: int
    at_us: int
    key: bytes
    value: bytes | None
    headers: bytes


class Span(NamedTuple):
    """From `start` to before `end`."""

    partition: Partition
    start: int
    end: int


class Page(NamedTuple):
    """What was read of a span, and where to go on; retention and compaction leave gaps."""

    rows: list[Row]
    next_position: int


class NewRow(NamedTuple):
    partition: Partition
    at_us: int
    key: bytes
    value: bytes | None
    headers: bytes


@dataclass(slots=True)
class Work:
    """What one transaction writes."""

    rows: list[NewRow] = field(default_factory=list)
    offsets: dict[tuple[str, Partition], int] = field(default_factory=dict)


class EventFile:
    """One writing and one reading connection. Every method raises BusUnavailable when SQLite refuses."""

    def __init__(self, path: Path, patience: timedelta) -> None:
        self.path = path
        self._patience = patience
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self._ids: dict[Partition, int] = {}

    def open(self) -> None:
        with self._translated():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            private_files.create(self.path)  # SQLite gives the -wal file the same rights
            self._connect_writer().executescript(_SCHEMA)
            self._reader = self._connect()

    def close(self) -> None:
        with self._translated():
            for connection in (self._reader, self._writer):
                if connection is not None:
                    connection.close()
        self._reader = self._writer = None

    def create(self, topic: str, partitions: int) -> None:
        """Make the partitions of a topic; one that exists keeps what it has."""
        with self._transaction() as sql:
            if sql.execute("SELECT 1 FROM partitions WHERE topic = ?", (topic,)).fetchone() is None:
                rows = [(topic, number) for number in range(partitions)]
                sql.executemany("INSERT INTO partitions (topic, number) VALUES (?, ?)", rows)

    def ends(self) -> dict[Partition, int]:
        """Every partition there is, with the position its next message will get."""
        with self._read() as sql:
            rows = sql.execute("SELECT topic, number, next_position, id FROM partitions ORDER BY id").fetchall()
        self._ids = {Partition(topic, number): identity for topic, number, _, identity in rows}
        return {Partition(topic, number): end for topic, number, end, _ in rows}

    def change_mark(self) -> int:
        """A number that differs after anybody, in any process, has written."""
        with self._read() as sql:
            mark: int = sql.execute("PRAGMA data_version").fetchone()[0]
            return mark

    def write(self, work: Work) -> dict[Partition, int]:
        """Everything in one durable transaction; the new ends of the partitions written to."""
        by_partition: defaultdict[Partition, list[NewRow]] = defaultdict(list)
        for row in work.rows:
            by_partition[row.partition].append(row)
        with self._transaction() as sql:
            ends = {partition: self._append(sql, partition, rows) for partition, rows in by_partition.items()}
            sql.executemany(
                "INSERT OR REPLACE INTO offsets (consumer_group, partition_id, position) VALUES (?, ?, ?)",
                [(group, self._ids[partition], position) for (group, partition), position in work.offsets.items()],
            )
        return ends

    def _append(self, sql: sqlite3.Connection, partition: Partition, rows: Sequence[NewRow]) -> int:
        identity = self._ids[partition]
        claim = "UPDATE partitions SET next_position = next_position + ? WHERE id = ? RETURNING next_position"
        end: int = sql.execute(claim, (len(rows), identity)).fetchone()[0]
        start = end - len(rows)
        sql.executemany(
            _APPEND,
            [(identity, start + i, row.at_us, row.key, row.value, row.headers) for i, row in enumerate(rows)],
        )
        return end

    def read(self, spans: Sequence[Span], limit: int) -> dict[Partition, Page]:
        """Up to `limit` messages of the spans; fewer when they are big, but never none for that reason."""
        pages: dict[Partition, Page] = {}
        room = _MAX_READ_BYTES
        with self._read() as sql:
            for span in spans:
                rows, room = self._read_span(sql, span, limit, room)
                limit -= len(rows)
                full = limit == 0 or room <= 0
                pages[span.partition] = Page(rows, rows[-1].position + 1 if full and rows else span.end)
                if full:
                    break
        return pages

    def _read_span(self, sql: sqlite3.Connection, span: Span, limit: int, room: int) -> tuple[list[Row], int]:
        rows: list[Row] = []
        bounds = (self._ids[span.partition], span.start, span.end, limit)
        with closing(sql.execute(_READ, bounds)) as found:
            for values in found:
                row = Row(*values)
                rows.append(row)
                room -= len(row.value or b"")
                if room <= 0:
                    break
        return rows, room

    def committed(self, group: str) -> dict[Partition, int]:
        query = (
            "SELECT topic, number, position FROM offsets JOIN partitions ON id = partition_id WHERE consumer_group = ?"
        )
        with self._read() as sql:
            return {Partition(topic, number): position for topic, number, position in sql.execute(query, (group,))}

    def expire(self, partition: Partition, before: datetime) -> bool:
        """Delete some of the messages at the start of a partition that are older; whether there may be more."""
        identity = self._ids[partition]
        with self._transaction() as sql:
            oldest = sql.execute(
                "SELECT position, at_us FROM messages WHERE partition_id = ? ORDER BY position LIMIT ?",
                (identity, _DELETE_AT_ONCE),
            ).fetchall()
            old = [position for position, _ in takewhile(lambda row: row[1] < to_us(before), oldest)]
            if old:
                sql.execute("DELETE FROM messages WHERE partition_id = ? AND position <= ?", (identity, old[-1]))
        return len(old) == _DELETE_AT_ONCE

    def compact(self, partition: Partition, tombstones_before: datetime) -> bool:
        """Delete some of what a newer message of the same key supersedes, and of the tombstones that everybody has had
        time to see; whether there may be more."""
        with self._transaction() as sql:
            done = sql.execute(
                "DELETE FROM messages WHERE rowid IN (SELECT rowid FROM messages WHERE partition_id = :id AND"
                " (position NOT IN (SELECT max(position) FROM messages WHERE partition_id = :id GROUP BY key)"
                " OR (value IS NULL AND at_us < :before)) LIMIT :limit)",
                {"id": self._ids[partition], "before": to_us(tombstones_before), "limit": _DELETE_AT_ONCE},
            )
        return done.rowcount == _DELETE_AT_ONCE

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._translated():
            sql = self._writer or self._connect_writer()
            try:
                sql.execute("BEGIN IMMEDIATE")
                yield sql
                sql.execute("COMMIT")
            except BaseException:
                # A connection that failed half-way is not to be trusted: closing it rolls back.
                self._writer = None
                sql.close()
                raise

    @contextmanager
    def _read(self) -> Iterator[sqlite3.Connection]:
        if self._reader is None:
            raise BusUnavailable("the event log is not open")
        with self._translated():
            yield self._reader

    def _connect_writer(self) -> sqlite3.Connection:
        self._writer = self._connect()
        return self._writer

    def _connect(self) -> sqlite3.Connection:
        sql = sqlite3.connect(
            self.path, timeout=self._patience.total_seconds(), isolation_level=None, check_same_thread=False
        )
        # FULL: what was acknowledged survives a power cut, not only the end of the process.
        sql.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;")
        return sql

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise BusUnavailable(f"the event log {self.path.name} refused: {error}") from error
