"""The event log of embedded mode: one SQLite file, durable at every answer, with consumer groups inside the process."""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path

import structlog

from shared.bus.base import OnRevoke, Partition, Topic, partition_of
from shared.bus.eventconsumer import EventLogConsumer, to_message, to_row
from shared.bus.eventfile import Span
from shared.bus.eventstore import EventStore
from shared.bus.limits import check_size
from shared.bus.membership import Group
from shared.clock import Clock
from shared.errors import BusUnavailable, ConfigurationError
from shared.events.envelope import Message, Record

log = structlog.get_logger(__name__)

PATIENCE = timedelta(seconds=5)
KEEP_TOMBSTONES = timedelta(days=7)
_PAGE = 500


class SqliteEventLog:
    """Bus on one file. Other processes may publish and scan; one at a time may consume."""

    def __init__(self, path: Path, clock: Clock, patience: timedelta = PATIENCE) -> None:
        """`patience`: how long to wait for a writer in another process before BusUnavailable."""
        self.path = path
        self._clock = clock
        self._store = EventStore(path, patience, self._wake)
        self._groups: dict[str, Group] = {}
        self._consumers: list[EventLogConsumer] = []
        self._known: set[Partition] = set()
        self._refreshing: set[asyncio.Task[None]] = set()
        self._consuming: int | None = None

    async def start(self) -> None:
        await self._store.open()
        self._known = set(self._store.ends)

    async def stop(self) -> None:
        for consumer in list(self._consumers):
            await consumer.stop()
        await self._store.close()
        if self._consuming is not None:
            os.close(self._consuming)
            self._consuming = None

    async def ensure_topics(self, topics: Sequence[Topic]) -> None:
        for topic in topics:
            await self._store.in_writer(self._store.file.create, topic.name, topic.partitions)
        await self._store.refresh()
        self._wake()

    async def publish(self, records: Sequence[Record]) -> None:
        now = self._clock.now()
        rows = []
        for record in records:
            check_size(record)
            partition = Partition(record.topic, partition_of(record.key, await self._partitions(record.topic)))
            rows.append(to_row(partition, record, now))
        if rows:
            await self._store.append(rows)

    def consumer(self, group: str, topics: Sequence[str], on_revoke: OnRevoke | None = None) -> EventLogConsumer:
        return EventLogConsumer(self, self._store, group, topics, on_revoke)

    async def scan(self, topic: str) -> AsyncIterator[Message]:
        await self._store.refresh()
        for partition, end in sorted((p, end) for p, end in self._store.ends.items() if p.topic == topic):
            start = 0
            while start < end:
                page = (await self._store.read([Span(partition, start, end)], _PAGE))[partition]
                for row in page.rows:
                    yield to_message(partition, row)
                start = page.next_position

    async def ping(self) -> None:
        await self._store.refresh()

    async def apply_retention(self, topics: Sequence[Topic]) -> None:
        """Delete what is older than its topic's retention; on compacted topics keep the newest of each key."""
        now, file = self._clock.now(), self._store.file
        for topic in topics:
            for partition in [partition for partition in self._store.ends if partition.topic == topic.name]:
                if topic.retention is not None:
                    while await self._store.in_writer(file.expire, partition, now - topic.retention):
                        pass
                if topic.compacted:
                    while await self._store.in_writer(file.compact, partition, now - KEEP_TOMBSTONES):
                        pass

    async def join(self, consumer: EventLogConsumer) -> None:
        """Called by a consumer that starts. Raises BusUnavailable while another process consumes from this file."""
        self._claim_consuming()
        await self._store.refresh()
        self._consumers.append(consumer)
        await self._group(consumer.group).join(consumer)

    async def leave(self, consumer: EventLogConsumer) -> None:
        """Called by a consumer that stops."""
        if consumer in self._consumers:
            self._consumers.remove(consumer)
            await self._group(consumer.group).leave(consumer)

    def _group(self, name: str) -> Group:
        if name not in self._groups:
            self._groups[name] = Group(lambda: self._store.ends, lambda: self._store.committed(name))
        return self._groups[name]

    def _claim_consuming(self) -> None:
        # Groups live in this process: a second one would read everything again.
        if self._consuming is not None:
            return
        handle = os.open(self.path.with_name(self.path.name + ".consumers"), os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(handle)
            raise BusUnavailable(
                f"another process already consumes from {self.path.name}: run one `closeloop up` for each file"
            ) from error
        self._consuming = handle

    async def _partitions(self, topic: str) -> int:
        if topic not in self._store.counts:
            await self._store.refresh()
            if topic not in self._store.counts:
                raise ConfigurationError(f"topic {topic} does not exist: create it with ensure_topics()")
        return self._store.counts[topic]

    def _wake(self) -> None:
        for consumer in self._consumers:
            consumer.wake()
        if self._store.ends.keys() != self._known:
            self._known = set(self._store.ends)
            for group in self._groups.values():
                task = asyncio.create_task(group.refresh())
                self._refreshing.add(task)
                task.add_done_callback(self._refreshing.discard)
